"""The page in a real browser."""

# ruff: noqa: E402 - what the imports need is asked for first

import math

import numpy as np
import pytest

from tests.helpers import browsing
from tests.helpers.hostile_run import hostile

browsing.required("jinja2", "latex2mathml", "selenium")

import harness
from harness.results.rebuilding import batches_of_head, network_of
from impls.hand.named import named
from reports.page.boxes import boxes
from reports.page.environment import environment
from reports.page.node_tables import links_of
from reports.page.rendering import page

SECTIONS = ["results", "drawing", "charts", "paths", "fault", "power", "conventions", "reproduce"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    record = tmp_path_factory.mktemp("run") / "run.jsonl"
    harness.run(steps=64, output=record)
    return harness.read_run(record)


@pytest.fixture(scope="module")
def path(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(run), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def driver():
    driver = browsing.browser()
    yield driver
    driver.quit()


@pytest.fixture
def shown(driver, path):
    return browsing.opened(driver, path)


def attributes(driver, selector, name):
    return driver.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.getAttribute(arguments[1]))", selector, name
    )


def test_it_asks_for_nothing_and_complains_of_nothing(shown, path):
    assert shown.execute_script("return document.body.dataset.ready") == "yes"
    asked = browsing.requests(shown)
    assert asked[0] == path.as_uri()
    assert all(url.startswith(("data:", "blob:")) for url in asked[1:])
    assert shown.get_log("browser") == []


def test_the_eight_sections_are_there_and_say_something(shown):
    assert attributes(shown, "main > section", "id") == SECTIONS
    assert all(len(text) > 60 for text in browsing.texts(shown, "main > section"))


def test_the_charts_mark_the_step_and_a_click_on_one_chooses_it(shown):
    assert attributes(shown, "figure[data-chart]", "data-chart") == ["loss", "heat", "histogram", "waterfall"]
    where = "return [...document.querySelectorAll('.chosen-step')].map((e) => e.getBoundingClientRect().x)"
    before = shown.execute_script(where)
    cell = shown.find_element("css selector", '[data-chart="heat"] [data-step="16"]')
    cell.click()
    assert shown.find_element("id", "step-shown").text == "16"
    after = shown.execute_script(where)
    assert (len(before), all(new < old for old, new in zip(before, after, strict=True))) == (3, True)
    left, right = (cell.rect["x"] + share * cell.rect["width"] for share in (0, 1))
    middle = shown.execute_script(
        "const r = document.querySelector('[data-chart=heat] .chosen-step')"
        ".getBoundingClientRect(); return r.x + r.width / 2 + scrollX"
    )
    assert left - 1 <= middle <= right + 1
    assert cell.find_element("css selector", "title").get_attribute("textContent").startswith("dW1, step 16: ")


def test_the_slider_changes_drawing_tables_and_address(shown, run):
    from selenium.webdriver.common.keys import Keys

    before = attributes(shown, "#network .ink", "stroke-width"), browsing.texts(shown, "#network .value")
    slider = shown.find_element("id", "step")
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT):
        slider.send_keys(key)
    assert slider.get_attribute("aria-valuetext") == "step 3"
    after = attributes(shown, "#network .ink", "stroke-width"), browsing.texts(shown, "#network .value")
    assert before[0] != after[0]
    assert before[1] != after[1]
    losses = dict(text.split() for text in browsing.texts(shown, "#now-loss tbody tr"))
    assert {name: float(text) for name, text in losses.items()} == run.steps[2].losses
    assert "step=3" in shown.current_url
    shown.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    weights = np.concatenate([w.ravel() for w in run.weights_at(3).values()])
    told = np.array(browsing.texts(shown, "#weights td.n"), run.head.dtype)
    assert (told == weights).all()


def test_a_click_on_a_weight_opens_its_paths_and_their_sum_is_the_derivative(shown, run):
    shown.find_element("css selector", '#network .weight[data-w="W1[1,1]"] .hit').click()
    cell = shown.find_element("css selector", "#cell .cell")
    assert cell.get_attribute("data-weight") == "W1[1,1]"
    assert shown.find_element("id", "weight").get_attribute("value") == "W1[1,1]"
    network = network_of(run.head.network)
    x, y = (part.astype(float) for part in batches_of_head(run.head, network).at(64))
    weights = {name: w.astype(float) for name, w in run.weights_at(64).items()}
    expected = network.backward(weights, x, y, network.forward(weights, x))["dW1"][0, 0]
    ways = attributes(shown, "#cell .ways td[data-value]", "data-value")
    assert float(ways[1]) == expected
    total = float(cell.get_attribute("data-total"))
    assert total == float(ways[0])
    routes = [float(text) for text in attributes(shown, "#cell [data-route]", "data-route")]
    assert len(routes) == 2
    spread = 300 * np.finfo(float).eps * sum(map(abs, routes))  # 300 paths, added in another order
    assert abs(math.fsum(routes) - total) <= spread
    assert f"{total:+.6e}" in cell.text


def test_a_weight_is_opened_by_keyboard_too(shown):
    from selenium.webdriver.common.keys import Keys

    line = shown.find_element("css selector", '#network .weight[data-w="b2[1]"]')
    assert line.get_attribute("tabindex") == "0"
    line.send_keys(Keys.ENTER)
    assert shown.find_element("css selector", "#cell .cell").get_attribute("data-weight") == "b2[1]"
    assert line.get_attribute("aria-pressed") == "true"
    assert shown.switch_to.active_element.get_attribute("id") == "paths-h"


def test_a_factor_of_the_formula_and_its_column_light_up_together(shown):
    shown.execute_script("document.querySelector('#cell th[data-into=\"2\"]').focus()")
    lit = shown.execute_script("return [...document.querySelectorAll('#cell .lit')].map((e) => e.tagName)")
    assert {"mrow", "TH", "TD"} <= set(lit)
    assert set(attributes(shown, "#cell .lit", "data-into")) == {"2"}


def test_a_deep_link_opens_weight_and_step(driver, path):
    shown = browsing.opened(driver, path, "#w=W2[3,1]&step=63")
    cell = shown.find_element("css selector", "#cell .cell")
    assert (cell.get_attribute("data-weight"), cell.get_attribute("data-step")) == ("W2[3,1]", "32")
    assert shown.find_element("id", "step-shown").text == "63"
    assert "at step 32" in shown.find_element("id", "nearest").text


@pytest.mark.parametrize(
    "address",
    ["#w=NOPE", "#%", "#w=%E0%A4%A", "#w=constructor", "#w=toString", "#w=__proto__", "#step=1e2", "#step=-3"],
)
def test_an_address_that_names_nothing_is_ignored(driver, path, run, address):
    shown = browsing.opened(driver, path, address)
    assert shown.execute_script("return document.body.dataset.ready") == "yes"
    weight = shown.find_element("css selector", "#cell .cell").get_attribute("data-weight")
    assert weight == shown.find_element("id", "weight").get_attribute("value")
    assert shown.find_element("id", "step-shown").text == "64"
    shown.execute_script("location.hash = arguments[0]", "#step=2")
    browsing.until(shown, "return document.getElementById('step-shown').textContent === '2'")
    shown.execute_script("location.hash = arguments[0]", address)
    shown.execute_script("const s = document.getElementById('step'); s.value = 4; s.dispatchEvent(new Event('input'))")
    assert shown.find_element("css selector", "#cell .cell").get_attribute("data-step") == "4"
    assert shown.get_log("browser") == []


def test_an_unknown_weight_leaves_the_step_of_the_address(driver, path):
    shown = browsing.opened(driver, path, "#w=NOPE&step=32")
    assert shown.find_element("id", "step-shown").text == "32"
    assert shown.find_element("css selector", "#cell .cell").get_attribute("data-step") == "32"


def test_everything_that_can_be_used_has_a_name(shown):
    nameless = shown.execute_script("""
      const used = 'input, select, button, [role=button], [role=img], [role=region], nav, svg#network';
      const named = (e) => e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length);
      return [...document.querySelectorAll(used)].filter((e) => !named(e)).length""")
    assert nameless == 0
    assert shown.execute_script("return document.documentElement.lang") == "en"


def test_a_focused_weight_is_framed_in_ink_and_a_chosen_one_is_marked(shown):
    told = shown.execute_script("""
      const line = document.querySelector('#network .weight[data-w="W1[3,2]"]');
      const ink = getComputedStyle(document.body).color;
      line.focus({ focusVisible: true });
      const mark = document.querySelector('#network .weight.chosen .chosen-mark');
      return [ink, getComputedStyle(line.querySelector('.hit')).stroke, getComputedStyle(mark).stroke]""")
    assert len(set(told)) == 1


def test_a_narrow_window_does_not_scroll_sideways(driver, path):
    size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    shown = browsing.opened(driver, path)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        shown.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        assert shown.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_light_and_dark(driver, path, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    shown = browsing.opened(driver, path)
    paper = shown.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 200) == (scheme == "dark")
    assert shown.execute_script(browsing.CONTRAST) == {}


def test_a_click_unfolds_a_block_and_a_click_in_it_shows_the_links_of_a_node(driver, tmp_path):
    network = named("gpt:layers=1,heads=2,width=4,context=3,tokens=5")
    parts, drawn = environment().get_template("parts.html.j2").module, boxes(network, [])
    links = f"<details>{parts.table(links_of(network, []))}</details>"
    path = tmp_path / "graph.html"
    path.write_text(f"<meta charset=utf-8>{parts.boxes(drawn)}{parts.blocks(drawn.blocks)}{links}", encoding="utf-8")
    shown = browsing.opened(driver, path, scripts=False)
    for block, node in (("h0", "h0.ln1"), ("h0.attn", "h0.attn.softmax")):
        inside = shown.find_element("id", f"block-{block}")
        assert not inside.is_displayed()
        shown.find_element("css selector", f'.box[href="#block-{block}"] .name').click()
        assert inside.is_displayed()
        inside.find_element("css selector", f'.box[href="#links-{node}"] .name').click()
        row = shown.find_element("css selector", "tr:target")
        assert (row.is_displayed(), row.find_element("tag name", "th").text) == (True, node)


def test_hostile_names_are_shown_and_do_nothing(driver, run, tmp_path):
    path = tmp_path / "hostile.html"
    path.write_text(page(hostile(run)), encoding="utf-8")
    shown = browsing.opened(driver, path)
    assert shown.execute_script("return [document.body.dataset.ready, typeof hacked]") == ["yes", "undefined"]
    assert len(browsing.requests(shown)) == 1
    assert shown.get_log("browser") == []
    assert "<script>hacked=1</script>" in shown.find_element("css selector", "header .what").text


def test_without_javascript_verdict_tables_and_charts_remain(path, run):
    quiet = browsing.browser("--blink-settings=scriptEnabled=false")
    try:
        browsing.opened(quiet, path, scripts=False)
        assert quiet.find_element("css selector", "h1").text.startswith("✓ PASS hand")
        assert len(quiet.find_elements("css selector", "#results tbody tr")) == 3 * len(run.head.gradients)
        assert quiet.find_element("css selector", "#cell .paths").is_displayed()
        pictures = quiet.find_elements("css selector", ".picture svg")
        assert len(pictures) == 4
        assert all(picture.is_displayed() for picture in pictures)
        assert not any(e.is_displayed() for e in quiet.find_elements("css selector", ".js"))
    finally:
        quiet.quit()
