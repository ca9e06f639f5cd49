from hearth.cluster.rest.handlers.writing import _copies


def test_each_try_of_an_update_has_the_object_as_it_was_sent() -> None:
    fresh = _copies({"spec": {"size": 1}})
    for _ in range(3):
        obj = fresh()
        assert obj == {"spec": {"size": 1}}
        obj["spec"]["size"] = 2
