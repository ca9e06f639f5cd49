import time

import pytest

from hearth.cluster.crd import formats
from hearth.cluster.crd.formats import effective_format, fits

UUID = "123e4567-e89b-42d3-a456-426614174000"


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2020-02-29", "2021-02-29"),
        ("date", "2020-02-29", "2020-W09-6"),
        ("date-time", "2020-01-01T10:00:00Z", "2020-01-01 10:00:00"),
        ("date-time", "2020-01-01t10:00:00.5+02:00", "2020-01-01T24:00:00Z"),
        ("duration", "1h30m", "later"),
        ("duration", "3 days", "3"),
        ("email", "a@b.example", "a.b"),
        ("hostname", "a-b.example", "a_b"),
        ("ipv4", "1.2.3.4", "1.2.3"),
        ("ipv6", "::1", "1.2.3.4"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("mac", "01:23:45:67:89:ab", "01:23:45"),
        ("uri", "https://example.com/x", "not a uri"),
        ("uuid", UUID, "123"),
        ("uuid4", UUID.upper(), UUID.replace("-42", "-32")),
        ("byte", "aGk=", "aGk"),
        ("hexcolor", "#ff00FF", "#ggg"),
        ("rgbcolor", "rgb(1, 2, 255)", "rgb(1,2,256)"),
        ("ssn", "111-22-3333", "111-22-333"),
        ("isbn10", "0321751043", "0321751044"),
        ("isbn13", "978-0321751041", "978-0321751042"),
        ("creditcard", "4111-1111-1111-1111", "4111-1111-1111-1112"),
        ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
        ("k8s-short-name", "a-b", "a.b"),
        ("k8s-long-name", "a.b", "a_b"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    assert fits(name, good)
    assert not fits(name, bad)


@pytest.mark.parametrize(
    ("declared", "types", "effective"),
    [
        ("date-time", ("string",), "date-time"),
        ("date-time", ("integer",), ""),
        ("int32", ("integer",), "int32"),
        ("int-or-string", ("integer", "string"), ""),
        ("double", ("number",), "double"),
        ("made-up", ("string",), ""),
    ],
)
def test_only_formats_that_fit_the_type_count(
    declared: str, types: tuple[str, ...], effective: str
) -> None:
    assert effective_format(declared, types) == effective


@pytest.mark.parametrize("name", formats.names())
@pytest.mark.parametrize("unit", ["1", "a", "(", "a@", "<", ".", ":", "[", "-", " ", '"', "1 "])
def test_no_long_text_holds_the_server_up(name: str, unit: str) -> None:
    start = time.process_time()
    fits(name, unit * 20_000 + "!")
    assert time.process_time() - start < 0.5  # the square of its length would be seconds
