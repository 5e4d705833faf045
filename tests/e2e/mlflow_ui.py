"""The pages of MLflow's own UI as a person uses them: what to click, what to read."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from tests.services.chromium import resize

_PATIENCE = 60.0
_ROW_HEIGHT = 45  # of the compare page's table of metrics, which draws only what is in view
_COLUMN_WIDTH = 200  # at least

_NOT_YET = (
    NoSuchElementException,
    StaleElementReferenceException,
    ElementClickInterceptedException,
    ElementNotInteractableException,
    LookupError,
    ValueError,
)

Found = TypeVar("Found")


class MlflowUI:
    """MLflow's UI in a browser, at the address of a server.

    Parameters
    ----------
    page
        A browser without history on this address.
    uri
        The server's address.
    """

    def __init__(self, page: Chrome, uri: str) -> None:
        self._page = page
        self._uri = uri
        # The assistant's panel opens by itself on the first visit and covers a fifth of the page.
        page.get(f"{uri}/version")
        page.execute_script(
            "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
            "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');"
        )

    def open_experiment(self, link: str) -> None:
        """Open an experiment by a link, what comes after `#/`, and wait for its runs."""
        self._open(link)
        self._until(lambda: self._find("[role=row][row-id]"))

    def open_charts(self, experiment_id: str, filter: str, order: str) -> None:
        """Open the charts of an experiment's runs that match a filter, best first by `order`."""
        query = {"compareRunsMode": "CHART", "searchFilter": filter, "orderByKey": order}
        self._open(f"experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}")
        self._until(lambda: self._find(".js-plotly-plot"))

    def choose_model_training(self) -> None:
        """Choose the model-training side of the switch above the menu, for all pages to come."""
        self._open("experiments")
        self._click("[role=button]", "Model training")
        self._until(lambda: self._labelled("nav a", "Model registry"))

    def menu(self) -> list[str]:
        """The entries of the menu on the left, from top to bottom."""
        entries = self._all("nav a")
        return [text for text in (entry.text.strip() for entry in entries) if text]

    def collapse_menu(self) -> None:
        """Leave icons of the menu."""
        self._click("[aria-label='Toggle sidebar']")

    def expand(self, run_id: str) -> None:
        """Show a run's children in the table of runs."""
        self._click(f"[role=row][row-id='{run_id}'] button")

    def run_names(self, run_ids: Sequence[str]) -> dict[str, str]:
        """Names of these runs as the table shows them, once all are there."""

        def names() -> dict[str, str]:
            return {
                run_id: self._find(f"[role=row][row-id='{run_id}'] a").text for run_id in run_ids
            }

        return self._until(names)

    def select(self, run_ids: Sequence[str]) -> None:
        """Tick these runs."""
        for run_id in run_ids:
            self._click(f"[role=row][row-id='{run_id}'] .ag-selection-checkbox input")

    def compare(self) -> None:
        """Press Compare, and wait for the page that compares the selected runs."""
        self._click("[data-testid=runs-compare-button]")
        self._wait_for_comparison()

    def open_comparison(self, experiment_id: str, run_ids: Sequence[str]) -> None:
        """Open the compare page of these runs, in this order."""
        runs = ",".join(f'"{run_id}"' for run_id in run_ids)
        self._open(f'compare-runs?runs=[{runs}]&experiments=["{experiment_id}"]')
        self._wait_for_comparison()

    def compared_names(self) -> list[str]:
        """Run names on the compare page, from left to right."""
        return self._until(
            lambda: [
                cell.text.strip()
                for cell in self._page.find_elements(
                    By.XPATH, "//tr[th[normalize-space()='Run Name:']]/td"
                )
            ]
        )

    def compared_metric(self, name: str, runs: int) -> list[float]:
        """Values of a metric on the compare page, in the order of `compared_names`."""
        resize(self._page, _COLUMN_WIDTH * (runs + 3), 1_000)
        self.show_compared_metric(name)

        def values() -> list[float] | None:
            labels, body = self._all(".ReactVirtualized__Grid")
            top = _top(_only(labels.find_elements(By.LINK_TEXT, name)))
            row = body.find_elements(By.XPATH, f".//div[@role='rowgroup']/div[{_at('top', top)}]")
            shown = sorted((_style(cell, "left"), cell.text) for cell in row)
            return [float(text) for _, text in shown] if len(shown) == runs else None

        return self._until(values)

    def show_compared_metric(self, name: str) -> None:
        """Scroll the compare page's table of metrics until this one is its first row, if it can."""
        for row in range(0, 200, 3):
            if self._page.find_elements(By.LINK_TEXT, name):
                break
            self._scroll_metrics(row * _ROW_HEIGHT)
        label = _only(self._page.find_elements(By.LINK_TEXT, name))
        self._scroll_metrics(_top(label))

    def plot_metrics(self, names: Sequence[str]) -> None:
        """Have the parallel coordinates of the compare page show these metrics and nothing else."""
        self._click("button", "Clear All")
        chooser = self._until(lambda: self._all("input[role=combobox]")[1])
        for name in names:
            chooser.send_keys(name)
            self._click(f"[class*=select-item-option][title='{name}']")
        chooser.send_keys(Keys.ESCAPE)
        self._page.execute_script("document.activeElement.blur()")
        self._until(lambda: self._drawn_axes() == len(names) or None)

    def fold(self, section: str) -> None:
        """Fold a section of the compare page."""
        self._click("[role=button]", section)

    def find_charts(self, pattern: str, expected: int) -> None:
        """Leave the charts whose metric matches a regular expression, and wait for that many."""
        box = self._until(lambda: self._find("input[placeholder='Search metric charts']"))
        box.send_keys(pattern)
        self._page.execute_script("document.activeElement.blur()")
        self._until(lambda: len(self._all(".js-plotly-plot .bars")) == expected or None)

    def open_version(self, model: str, version: str) -> None:
        """Open the page of a registered model's version, and wait for its description."""
        self._open(f"models/{quote(model, safe='')}/versions/{version}")
        self._until(lambda: self._find(".note-editor-preview"))

    def version_fact(self, label: str) -> str:
        """What stands beside a label at the top of a version's page, as `Aliases`."""

        def content() -> str:
            labels = self._all("[data-testid=descriptions-item-label]")
            found = _only([item for item in labels if item.text.strip() == label])
            item = found.find_element(By.XPATH, "..")
            beside = item.find_element(By.CSS_SELECTOR, "[data-testid=descriptions-item-content]")
            return " ".join(beside.text.split())

        return self._until(content)

    def description_tables(self) -> list[list[list[str]]]:
        """The tables of a version's description: cells of rows."""

        def tables() -> list[list[list[str]]]:
            return [
                [
                    [cell.text.strip() for cell in row.find_elements(By.CSS_SELECTOR, "th, td")]
                    for row in table.find_elements(By.TAG_NAME, "tr")
                ]
                for table in self._all(".note-editor-preview table")
            ]

        return self._until(tables)

    def description(self) -> str:
        """The text of a version's description."""
        return self._until(lambda: self._find(".note-editor-preview").text)

    def version_tags(self) -> dict[str, str]:
        """The tags on a version's page."""

        def tags() -> dict[str, str]:
            rows = [row.find_elements(By.TAG_NAME, "td") for row in self._all("tr[data-row-key]")]
            return {row[0].text.strip(): row[1].text.strip() for row in rows if len(row) > 1}

        return self._until(tags)

    def screenshot(self, path: Path) -> None:
        """Save what is in view as a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        assert self._page.save_screenshot(str(path))

    def _open(self, route: str) -> None:
        # A change behind the # alone would not load the page again.
        self._page.get("about:blank")
        self._page.get(f"{self._uri}/#/{route}")

    def _wait_for_comparison(self) -> None:
        self._until(lambda: self._find(".js-plotly-plot"))
        self._until(lambda: len(self._all(".ReactVirtualized__Grid")) == 2 or None)

    def _scroll_metrics(self, top: int) -> None:
        # The names follow the values one scroll event late: end on a step of one pixel.
        self._page.execute_async_script(
            """
            const [grid, wanted, done] = arguments;
            const top = Math.min(wanted, grid.scrollHeight - grid.clientHeight);
            const frames = [top - 1, top, null, null];
            const step = () => {
              if (!frames.length) return done();
              const next = frames.shift();
              if (next !== null) grid.scrollTop = next;
              setTimeout(step, 50);
            };
            step();
            """,
            self._all(".ReactVirtualized__Grid")[1],
            top,
        )

    def _drawn_axes(self) -> int:
        return len(self._all(".js-plotly-plot .y-axis"))

    def _find(self, selector: str) -> WebElement:
        return self._page.find_element(By.CSS_SELECTOR, selector)

    def _all(self, selector: str) -> list[WebElement]:
        return self._page.find_elements(By.CSS_SELECTOR, selector)

    def _labelled(self, selector: str, text: str) -> WebElement:
        return _only([found for found in self._all(selector) if found.text.strip() == text])

    def _click(self, selector: str, text: str | None = None) -> None:
        def press() -> bool:
            found = self._find(selector) if text is None else self._labelled(selector, text)
            found.click()
            return True

        self._until(press)

    def _until(self, look: Callable[[], Found | None]) -> Found:
        """Ask again until there is an answer; pages are drawn in pieces and drawn again."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            reason: object = "no answer"
            try:
                found = look()
                if found is not None:
                    return found
            except _NOT_YET as error:
                reason = error
            if time.monotonic() > deadline:
                shown = self._find("body").text
                raise AssertionError(f"{reason}\n{self._page.current_url} shows:\n{shown}")
            time.sleep(0.2)


def _only(found: Sequence[WebElement]) -> WebElement:
    if len(found) != 1:
        raise LookupError(f"expected one element, got {len(found)}")
    return found[0]


def _at(side: str, position: int) -> str:
    return f"contains(@style,'{side}: {position}px;')"


def _top(label: WebElement) -> int:
    return _style(label.find_element(By.XPATH, ".."), "top")


def _style(element: WebElement, side: str) -> int:
    style = element.get_attribute("style") or ""
    parts = dict(part.split(":", 1) for part in style.split(";") if ":" in part)
    return int(float({key.strip(): value for key, value in parts.items()}[side].strip("px ")))
