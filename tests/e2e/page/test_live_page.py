"""The live page in a real browser: what it shows, what it changes, who can use it."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.e2e.page.world import PHONE, WIDE, World, send, split
from tests.e2e.support import Hearth, wait_until

VIEWS = ("#/", "#/service/default/hello", "#/events", "#/letters", "#/scaling", "#/runs")
DOCS = Path(__file__).resolve().parents[3] / "docs/pictures"
PICTURES: tuple[tuple[str, str, tuple[int, int], Literal["light", "dark"]], ...] = (
    ("services-light", "#/", (1280, 760), "light"),
    ("services-dark", "#/", (1280, 760), "dark"),
    ("service-light", "#/service/default/hello", (1280, 860), "light"),
    ("service-dark", "#/service/default/hello", (1280, 860), "dark"),
    ("events-light", "#/events/node/broker%20default%2Fdefault", (1280, 860), "light"),
    ("journey-dark", "#/events/event/o-1", (1280, 600), "dark"),
    ("phone-dark", "#/", PHONE, "dark"),
)
RATE = re.compile(r"[1-9]\d*/s")
HIDDEN = """hidden => {
  Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
  document.dispatchEvent(new Event('visibilitychange'));
}"""
# What was seen of a Service's pods, in order.
RECORDED = """name => {
  const line = [...document.querySelectorAll('.service-line')]
    .find(each => each.querySelector('.name').textContent === name);
  window.seen = [];
  const look = () => {
    const words = line.querySelector('.ember-words').textContent;
    if (words !== window.seen.at(-1)) window.seen.push(words);
    if (line.querySelector('.cooling')) window.cooled = true;
  };
  new MutationObserver(look).observe(line, {subtree: true, childList: true, characterData: true});
  look();
}"""


def line(page: Page, service: str) -> Locator:
    name = page.get_by_role("link", name=service, exact=True)
    return page.locator(".service-line").filter(has=name)


@pytest.fixture(scope="module")
def watcher(world: World) -> Page:
    """Another page, which keeps what it sees of ``sleepy`` while the other tests run."""
    page = world.entered()
    line(page, "sleepy").wait_for()
    page.evaluate(RECORDED, "sleepy")
    return page


def test_the_first_screen_says_what_runs_how_it_is_and_where(
    page: Page, watcher: Page, hearth: Hearth
) -> None:
    hello = line(page, "hello")
    expect(hello.get_by_role("link", name=re.compile(r"hello\.default\.localhost"))).to_be_visible()
    expect(hello).to_contain_text("ready")
    expect(hello.locator(".cell-shares")).to_contain_text("00001 90%")
    expect(hello.locator(".cell-rate")).to_contain_text(RATE)
    expect(line(page, "broken")).to_contain_text("needs a look")
    expect(line(page, "broken").locator(".why")).to_contain_text("no database")
    expect(page.locator(".figure").first).to_contain_text("1needs a look")
    expect(page).to_have_title(re.compile("needs a look"))
    assert hearth.request("sleepy").status == 200
    expect(line(watcher, "sleepy")).to_contain_text("1 awake")


def test_a_list_is_filtered_and_walked_by_keys(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("hel")
    expect(page.locator(".service-line")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="hello", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="hello", exact=True)).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Services")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_requests_flow_by_revision_as_they_come(page: Page) -> None:
    page.get_by_role("link", name="hello", exact=True).click()
    lanes = page.locator(".lane")
    expect(lanes).to_have_count(2)
    expect(lanes.first).to_contain_text(RATE)
    expect(lanes.first).to_contain_text("1 awake")
    expect(lanes.first).not_to_have_attribute("data-speed", "0")
    expect(lanes.first).to_contain_text(re.compile(r"\d ms"))
    expect(lanes.nth(1).get_by_role("link", name="candidate")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Requests a second: .*now"))).to_be_visible()
    expect(page.locator(".plot canvas")).to_have_count(3)
    page.get_by_text("As a table").first.click()
    expect(page.locator("details table").first).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))


def test_a_split_is_written_undone_and_refused_where_somebody_was_first(
    page: Page, hearth: Hearth
) -> None:
    page.get_by_role("link", name="hello", exact=True).click()
    slider = page.get_by_role("slider", name=re.compile("Share of the latest"))
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Not written yet: 85% to 00001 and 15% to the latest")).to_be_visible()
    assert split(hearth) == [90, 10]
    said = '{"message": "hello was changed meanwhile"}'
    page.route("**/api/traffic", lambda route: route.fulfill(status=409, body=said), times=1)
    page.get_by_role("button", name="Apply the split").click()
    expect(page.locator(".toast")).to_contain_text("Not written. hello was changed meanwhile")
    page.get_by_role("button", name="Apply the split").click()
    wait_until(lambda: split(hearth) == [85, 15], what="the split that was written")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    wait_until(lambda: split(hearth) == [90, 10], what="the split of before")
    expect(page.locator(".toast")).to_contain_text("Written: 90%")
    page.get_by_role("button", name="Dismiss").click()
    expect(slider).to_have_value("10")
    slider.fill("50")
    theirs = '[{"op": "replace", "path": "/spec/traffic/0/percent", "value": 70},'
    theirs += '{"op": "replace", "path": "/spec/traffic/1/percent", "value": 30}]'
    hearth.kubectl("patch", "ksvc", "hello", "--type=json", "-p", theirs)
    expect(page.locator(".pending")).to_contain_text("Somebody changed the split meanwhile")
    page.get_by_role("button", name="Begin with what is there").click()
    expect(slider).to_have_value("30")
    expect(page.locator(".pending")).to_have_count(0)
    wait_until(lambda: split(hearth) == [70, 30], what="the split of somebody else")


def test_logs_are_followed_and_filtered(page: Page) -> None:
    page.get_by_role("link", name="hello", exact=True).click()
    page.locator(".logs").get_by_role("button", name="Show").click()
    lines = page.get_by_role("log").locator("p")
    expect(lines.filter(has_text="hello: listening on port").first).to_be_visible()
    page.get_by_label("Filter lines of the log").fill("nothing has this")
    expect(page.get_by_role("log")).to_contain_text("No line has that.")


def test_the_autoscaler_says_why(page: Page) -> None:
    page.get_by_role("link", name="hello", exact=True).click()
    page.get_by_text("Why this many?").click()
    expect(page.locator(".explain pre")).to_contain_text("hello-00001")


def test_an_event_is_followed_from_the_graph_to_its_end(page: Page) -> None:
    page.get_by_role("link", name="Events", exact=True).click()
    graph = page.get_by_role("region", name=re.compile("Event graph"))
    expect(graph.get_by_role("link", name="trigger orders")).to_be_visible()
    graph.get_by_role("link", name="broker default").click()
    panel = page.get_by_role("complementary", name=re.compile("default"))
    panel.get_by_role("link", name=re.compile("order.created.*o-1")).click()
    expect(page.get_by_role("heading", name="order.created")).to_be_focused()
    expect(page.locator(".leg").first).to_contain_text("delivered")
    expect(page.locator(".attempts").first).to_contain_text(re.compile("attempt 1: 200 after"))
    page.get_by_text(re.compile(r"\d did not match")).first.click()
    expect(page.locator(".stop").first).to_contain_text('wants "order.lost"')
    page.goto(page.url.partition("#")[0] + "#/events")
    page.get_by_role("button", name="List").click()
    expect(page.get_by_role("list", name="What flows where")).to_contain_text("answers with")


def test_dead_letters_are_delivered_again_and_discarded(page: Page, hearth: Hearth) -> None:
    page.get_by_role("link", name=re.compile("Dead letters")).click()
    expect(page.get_by_role("link", name="trigger default/nowhere")).to_be_visible()
    page.get_by_role("button", name="Deliver held-1 again").click()
    page.get_by_role("dialog").get_by_role("button", name="Deliver again").click()
    expect(page.locator(".toast").last).to_contain_text("on its way")
    page.get_by_role("button", name="Discard held-2").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Discard held-2").click()
    page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(page.get_by_role("button", name="Discard held-2")).to_have_count(0)
    held = hearth.run("event", "dead-letters", "-o", "json").stdout
    assert "held-2" not in held
    assert "held-3" in held


def test_a_reader_looks_and_changes_nothing(world: World) -> None:
    page = world.entered("--read-only")
    page.get_by_role("link", name="hello", exact=True).click()
    slider = page.get_by_role("slider").first
    expect(slider).to_be_disabled()
    expect(page.locator("#reader-why")).to_contain_text("changes nothing")
    assert slider.get_attribute("aria-describedby") == "reader-why"
    page.goto(f"{world.base}#/letters")
    expect(page.get_by_role("button", name=re.compile("Deliver")).first).to_be_disabled()
    page.context.close()


@pytest.mark.parametrize("view", VIEWS)
def test_whoever_looks_can_use_it(page: Page, world: World, view: str) -> None:
    """axe-core's rules, in both themes; on a phone nothing is wider than the screen."""
    page.goto(f"{world.base}{view}")
    page.wait_for_selector("h1")
    for scheme in ("light", "dark"):  # without what fades in: half of a colour has no contrast
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def test_the_theme_is_chosen_and_kept(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.keyboard.press("t")
    page.keyboard.press("t")
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    page.wait_for_selector("h1")
    assert page.evaluate(paper) == dark
    page.get_by_role("button", name="Theme: dark").click()
    assert page.evaluate(paper) == light


def test_who_wants_no_motion_gets_none(page: Page) -> None:
    page.get_by_role("link", name="hello", exact=True).click()
    moving = "document.getAnimations().filter(each => each.playState === 'running').length"
    wait_until(lambda: page.evaluate(moving) > 0, what="something that moves")
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")


def test_who_does_not_look_is_told_nothing(world: World) -> None:
    """Half a minute in a tab that is hidden, or on a line that is silent, by the page's clock."""
    page = world.entered()
    page.clock.install()
    page.reload()
    status = page.locator(".line")
    expect(status).to_contain_text("Live")
    page.evaluate(HIDDEN, True)
    page.clock.fast_forward(31_000)
    expect(status).to_contain_text("Reconnecting")
    expect(status).to_contain_text("old")
    page.evaluate(HIDDEN, False)
    page.clock.run_for(1000)
    expect(status).to_contain_text("Live")
    page.context.close()


def test_it_comes_back_by_itself_and_says_what_is_old(page: Page, hearth: Hearth) -> None:
    status = page.locator(".line")
    expect(status).to_contain_text("Live")
    os.kill(hearth.pids()["ui"], signal.SIGKILL)
    expect(status).to_contain_text("Reconnecting")
    expect(status).to_contain_text("Live", timeout=15_000)
    expect(line(page, "hello").locator(".cell-rate")).to_contain_text(RATE)


def test_pods_are_seen_waking_and_sleeping(watcher: Page, hearth: Hearth) -> None:
    """Since the first test, which has woken one."""
    wait_until(lambda: watcher.evaluate("window.seen.at(-1)") == "asleep", what="its sleep")
    assert hearth.request("sleepy").status == 200
    expect(line(watcher, "sleepy")).to_contain_text("1 awake")
    seen = [each for each in watcher.evaluate("window.seen") if each in ("asleep", "1 awake")]
    assert seen[-3:] == ["1 awake", "asleep", "1 awake"]
    assert watcher.evaluate("window.cooled") is True


def test_pictures_of_the_documentation(page: Page, hearth: Hearth, tmp_path: Path) -> None:
    """Taken each time; kept where ``HEARTH_PICTURES`` is set, after a minute of events."""
    kept = bool(os.environ.get("HEARTH_PICTURES"))
    for number in range(100 if kept else 1):
        send(hearth, "order.lost" if number % 9 == 8 else "order.created", f"shown-{number}")
        page.wait_for_timeout(600 if kept else 0)
    for name, view, (width, height), scheme in PICTURES:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{page.url.partition('#')[0]}{view}")
        page.wait_for_selector("h1")
        page.mouse.move(600, 20)
        page.evaluate("document.fonts.ready.then(() => true)")
        page.wait_for_timeout(1500 if kept else 0)
        path = (DOCS if kept else tmp_path) / f"{name}.png"
        page.screenshot(path=path)
        assert 5_000 < path.stat().st_size < 150_000
        assert f"pictures/{path.name}" in (DOCS.parent / "ui.md").read_text()
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def test_nothing_was_complained_about(world: World, watcher: Page) -> None:
    """Last: what the browser's console had to say, policies that were hurt included."""
    gone = re.compile("ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|50[234]|409")
    assert watcher.title()
    assert [each for each in world.complaints if not gone.search(each)] == []
