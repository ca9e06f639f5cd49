"""HorizontalPodAutoscalers: kube-controller-manager's algorithm, decided apart from asking."""
