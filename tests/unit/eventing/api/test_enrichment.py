"""What an event may be given before it is delivered, and where a text is at fault."""

import pytest

from eventing.api.deliveryoptions import ENRICH, DeliveryOptions, check_options
from eventing.api.enrichment import Enrichment, EnrichmentError
from hearth.knative.fielderrors import text

EVENT = {"id": "1", "source": "/shop/eu", "type": "order.created", "subject": "o-17", "amount": "7"}


def values(given: str) -> object:
    return Enrichment.from_text(given).values(EVENT)


def test_constants_and_what_is_made_of_other_attributes():
    assert values("stage = 'second'\n\nlarge = amount > 5\n kind=LEFT(type, 5)\nn = 3 * 2") == {
        "stage": "second",
        "large": True,
        "kind": "order",
        "n": 6,
    }


def test_all_see_the_event_as_it_came():
    assert values("subject = 'x'\nbefore = subject") == {"subject": "x", "before": "o-17"}


def test_what_fails_for_an_event_sets_nothing():
    assert values("a = nothere\nb = 1 / 0\nc = INT('x')\nd = 'd'") == {"d": "d"}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ("", "line 1: expected NAME = EXPRESSION"),
        ("stage", "line 1: expected NAME = EXPRESSION"),
        ("= 'x'", "line 1: expected NAME = EXPRESSION"),
        ("a = 1\nSTAGE = 'x'", "line 2: 'STAGE' is no name: up to 40 letters a-z and digits"),
        ("a = 1\n\na = 2", "line 3: a is set a second time"),
        ("type = 'x'", "line 1: type cannot be set: subject and extensions can"),
        ("knativebrokerttl = 1", "line 1: knativebrokerttl cannot be set"),
        ("hearthjoin = 'x'", "line 1: hearthjoin cannot be set"),
        ("a = LEFT(subject", "line 1: "),
    ],
)
def test_faults_are_named_with_their_line(given, where):
    with pytest.raises(EnrichmentError) as error:
        Enrichment.from_text(given)
    assert str(error.value).startswith(where)


def test_a_fault_of_an_expression_is_named_with_its_character():
    with pytest.raises(EnrichmentError, match=r"line 2: .* at character 15$"):
        Enrichment.from_text("a = 1\nstage = 'x' ? 'y'")
    [error] = check_options({ENRICH: "stage = 'x' ? 'y'"})
    assert "line 1: " in text([error]) and "at character 15" in text([error])


def test_more_than_a_subscriber_could_take_is_refused():
    with pytest.raises(EnrichmentError, match="more than 50"):
        Enrichment.from_text("\n".join(f"a{number} = 1" for number in range(51)))


def test_it_is_an_option_like_others():
    options = DeliveryOptions.from_annotations({ENRICH: "a = 1"}, {ENRICH: "b = 2"})
    assert options.enrich == Enrichment.from_text("b = 2")
    assert DeliveryOptions.from_annotations({}).enrich is None
