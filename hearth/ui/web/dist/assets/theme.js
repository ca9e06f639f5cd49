var e=localStorage.getItem("hearth.theme");e&&(document.documentElement.dataset.theme=e);
