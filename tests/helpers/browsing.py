"""A headless browser for tests of pages: Debian's chromium, driven by selenium.

Where something is missing the tests skip with the reason; under CI, where all is installed, that is an error.
"""

import json
import os
import shutil

import pytest

WAIT = 30


def required(*modules):
    """Modules that a test file needs; skips it where one is missing, unless CI is set."""
    for module in modules:
        if os.environ.get("CI"):
            __import__(module)
        else:
            pytest.importorskip(module, exc_type=ImportError)


def browser(*arguments):
    """A new browser."""
    from selenium import webdriver

    driver = shutil.which("chromedriver")
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    if not (driver and binary):
        message = "chromium or chromedriver is missing; apt-get install chromium chromium-driver"
        if os.environ.get("CI"):
            raise RuntimeError(message)
        pytest.skip(message)
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    always = (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1100,900",
        "--hide-scrollbars",
    )
    for argument in (*always, *arguments):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def opened(driver, path, address="", *, scripts=True):
    """Open a page and wait until its script is done; the logs then hold what this page did."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get_log("performance")
    driver.get_log("browser")
    driver.get(path.as_uri() + address)
    if scripts:
        WebDriverWait(driver, WAIT).until(lambda d: d.execute_script("return document.body.dataset.ready"))
    return driver


def until(driver, script):
    """Wait until a script returns something true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, WAIT).until(lambda d: d.execute_script(script))


def requests(driver):
    """Every address that the page asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def texts(driver, selector):
    """The text of every element that a selector finds."""
    return [element.text for element in driver.find_elements("css selector", selector)]


CONTRAST = """
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => { const f = (v) => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const worst = {};
for (const e of document.querySelectorAll("body *")) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
  if (["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(e.tagName) || !e.getClientRects().length) continue;
  const style = getComputedStyle(e), color = e instanceof SVGElement ? style.fill : style.color;
  if (!color.startsWith("rgb")) continue;
  const [a, b] = [light(parse(color)), light(behind(e))].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) worst[e.tagName + "." + e.getAttribute("class") + ": " + e.textContent.slice(0, 30)] = ratio;
}
return worst;
"""
"""Every visible text whose contrast with what is behind it is below WCAG AA's 4.5."""
