from hypothesis import given
from hypothesis import strategies as st

from hearth.likeness import MAX_SAMPLES, Likeness

texts = st.lists(st.binary(max_size=200) | st.binary(max_size=3).map(lambda x: x * 20_000))


@given(texts)
def test_what_is_packed_reads_as_before(each: list[bytes]) -> None:
    alike = Likeness()
    packed = [alike.pack(text) for text in each]
    assert [alike.unpack(text) for text in packed] == each
    assert len(alike._samples) <= 1 + MAX_SAMPLES


def test_another_of_the_same_sort_takes_little() -> None:
    alike = Likeness()
    words = [f'"field{i * i}":{i * 7919}' for i in range(200)]
    first, *others = (",".join([f'"name":"object-{i}"', *words]).encode() for i in range(50))
    assert len(alike.pack(first)) > len(first) / 4
    assert all(len(alike.pack(other)) < len(other) / 20 for other in others)


def test_a_second_sort_has_a_sample_of_its_own() -> None:
    alike = Likeness()
    for sort in ("one", "two"):
        texts = [",".join(f"{sort}{i * i}" for i in range(n, 300)).encode() for n in range(3)]
        alike.pack(texts[0])
        assert all(len(alike.pack(text)) < len(text) / 10 for text in texts[1:])


def test_sorts_that_come_in_turns_are_all_known() -> None:
    alike = Likeness()

    def text(sort: str, number: int) -> bytes:
        return ",".join(f"{sort}{i * i}" for i in range(number, 300)).encode()

    for number in range(40):
        packed = {sort: alike.pack(text(sort, number)) for sort in ("one", "two", "three")}
    assert all(len(each) < len(text(sort, 39)) / 10 for sort, each in packed.items())
    assert len(alike._samples) == 1 + len(packed)
