"""A headless Chromium for tests of pages: what it shows, what it complains about, what it prints.

    page.open(url, width=360, dark=True, viewer="203.0.113.9")
    page.screenshot("resume-360-dark")          # build/screenshots/resume-360-dark.png
    assert page.complaints() == []              # the console, and what a page's policy refused
    assert page.audit() == []                   # what accessible pages do not do

Each page is opened as by somebody new: no cache, no cookies. Nothing here waits for time to
pass: it waits for what the page does, with a deadline.
"""

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
AUDIT = Path(__file__).with_name("audit.js").read_text()
WATCH = Path(__file__).with_name("watch.js").read_text()
PROGRAMS = ("chromium", "google-chrome", "chromium-browser")
DEADLINE_S = 20
PAPER_INCHES = {"a4": (8.27, 11.69), "letter": (8.5, 11)}


def find():
    """(browser, driver), or None where there is none."""
    browser = next(filter(None, map(shutil.which, PROGRAMS)), None)
    driver = shutil.which("chromedriver", path=os.pathsep.join(
        [os.environ.get("PATH", ""), os.environ.get("CHROMEWEBDRIVER", "")]))
    return (browser, driver) if browser and driver else None


def start(profile):
    """The driver of a new browser that says nothing to anybody but the pages' own servers."""
    browser, driver = find()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new", "--hide-scrollbars", "--force-color-profile=srgb", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}",
        # Containers often forbid the sandbox, and have little shared memory.
        "--no-sandbox", "--disable-dev-shm-usage",
        # Whatever a page names, nothing outside of this machine is reached.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, "
        "EXCLUDE 127.0.0.1",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


class Page:
    def __init__(self, driver):
        self.driver = driver
        self._devtools("Network.enable")
        self._devtools("Network.setCacheDisabled", cacheDisabled=True)
        # Before any script of a page, and beyond its policy.
        self._devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def _devtools(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    # Opening

    def open(self, url, *, width=1280, height=900, dark=False, scripts=True, motion=True,
             viewer=None):
        """Load a page. The local cloud takes `viewer` for the address that it is asked from."""
        self._devtools("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._devtools("Network.setExtraHTTPHeaders",
                       headers={"X-Cloud-Viewer": viewer} if viewer else {})
        self._devtools("Network.clearBrowserCookies")
        self._media(dark, motion)
        self._size(width, height)
        self.driver.get_log("browser")    # of the page before
        self.driver.get(url)
        return self

    def _media(self, dark, motion):
        self._devtools("Emulation.setEmulatedMedia", media="", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "no-preference" if motion else "reduce"}])

    def _size(self, width, height):
        self._devtools("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=1, mobile=width < 600)

    # Asking

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def wait(self, condition, message=""):
        """Until a script says something true; its value."""
        return WebDriverWait(self.driver, DEADLINE_S, poll_frequency=0.02).until(
            lambda driver: driver.execute_script(f"return {condition}"), message or condition)

    def settle(self, requests=1):
        """Until so many fetches of the page have ended, and the page has had its turn."""
        self.wait(f"watched.settled >= {requests}", f"{requests} fetches to end")
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done))")

    def text(self, selector):
        """What is seen of an element: nothing, if it is hidden (of which innerText tells all)."""
        return self.script("""
            const e = document.querySelector(arguments[0]);
            return e.checkVisibility() ? e.innerText : "";""", selector)

    def width(self):
        """How wide the page is, with what sticks out."""
        return self.script("return document.documentElement.scrollWidth")

    def complaints(self, but=()):
        """The console's errors and warnings, refusals of the policy and rejections that nobody
        handled. `but`: patterns of what is expected."""
        found = [f"{e['source']}: {e['message']}" for e in self.driver.get_log("browser")
                 if e["level"] in ("WARNING", "SEVERE")]
        found += self.script("return window.watched ? watched.complaints : []")
        return [c for c in found if not any(re.search(b, c) for b in but)]

    def audit(self):
        """What would keep somebody from using the page; see audit.js."""
        return self.script(AUDIT + "\nreturn audit();")

    def tab(self, times=1):
        """Press Tab, and say where that led."""
        for _ in range(times):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
        return self.script("""
            const e = document.activeElement, style = getComputedStyle(e);
            return {text: e.textContent.trim(), visible: e.matches(":focus-visible"),
                    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
                    top: e.getBoundingClientRect().top};""")

    # Keeping

    def screenshot(self, name):
        """The whole page, in build/screenshots."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        taken = self._devtools("Page.captureScreenshot", captureBeyondViewport=True)
        file = SCREENSHOTS / f"{name}.png"
        file.write_bytes(base64.b64decode(taken["data"]))
        return file

    def print(self, name, paper):
        """Print without backgrounds, as browsers do unless asked; the number of pages. A picture
        of the paper is kept too where poppler is installed."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        width, height = PAPER_INCHES[paper]
        made = self._devtools("Page.printToPDF", paperWidth=width, paperHeight=height)
        data = base64.b64decode(made["data"])
        file = SCREENSHOTS / f"{name}-{paper}.pdf"
        file.write_bytes(data)
        for old in SCREENSHOTS.glob(f"{name}-{paper}-*.png"):
            old.unlink()
        if shutil.which("pdftoppm"):
            subprocess.run(["pdftoppm", "-r", "80", "-png", file, file.with_suffix("")], check=True)
        return len(re.findall(rb"/Type\s*/Page\b", data))

    def shown_on_paper(self, selector):
        """Whether an element is printed."""
        self._devtools("Emulation.setEmulatedMedia", media="print")
        try:
            return self.script("return document.querySelector(arguments[0]).checkVisibility()",
                               selector)
        finally:
            self._media(False, True)
