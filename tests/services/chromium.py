"""Debian's Chromium, headless, driven by selenium through Debian's chromedriver."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.services.process import find_binary

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

INSTALL = "apt-get install -y --no-install-recommends chromium chromium-driver"
# From --disable-quic on, they keep the browser from talking to anything but the page under test.
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--disable-quic",
    "--no-first-run",
    "--no-pings",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--password-store=basic",
    # A mouse that can hover: without one, charts show their toolbars all the time.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,"
    "availablePointerTypes=4",
)


@contextmanager
def chromium(width: int = 1600, height: int = 1000) -> Iterator["Chrome"]:
    """Run a browser with a new profile and a page of this size in CSS pixels."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser = find_binary("chromium", INSTALL)
    driver = find_binary("chromedriver", INSTALL)
    with tempfile.TemporaryDirectory(prefix="sixfold-chromium-", ignore_cleanup_errors=True) as own:
        options = ChromeOptions()
        options.binary_location = str(browser)
        for flag in (*_FLAGS, f"--user-data-dir={own}/profile", f"--window-size={width},{height}"):
            options.add_argument(flag)
        home = {**os.environ, "HOME": own}  # crash reports go there, whatever the profile
        page = Chrome(options=options, service=Service(str(driver), env=home))
        try:
            resize(page, width, height)
            page.set_page_load_timeout(60)
            yield page
        finally:
            page.quit()


def resize(page: "Chrome", width: int, height: int, scale: float = 1.0) -> None:
    """Give the page a size in CSS pixels; a screenshot has `scale` times as many pixels.

    Not by the window's size, which counts a frame that headless Chromium does not draw.
    """
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False},
    )


@pytest.fixture(scope="module")
def browser() -> Iterator["Chrome"]:
    """A headless browser for a file of tests; a page left open takes a part of a core."""
    with chromium() as page:
        yield page
