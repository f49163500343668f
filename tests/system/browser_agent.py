"""Runs a real Chromium and does there what a test says; see browser.py.

Speaks JSON, a line per request and answer, over standard input and output.
Needs Debian's chromium, chromium-driver and python3-selenium, so it is run by
/usr/bin/python3.

usage: browser_agent.py PROFILE_DIRECTORY
"""
import json
import sys

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By


def start(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("--no-sandbox", "--headless=new", "--disable-gpu",
                     "--disable-dev-shm-usage", "--window-size=1440,900",
                     f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL",
                                                 "performance": "ALL"})
    return webdriver.Chrome(options=options,
                            service=Service("/usr/bin/chromedriver"))


driver = start(sys.argv[1])


def find(selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def open_page(url):
    driver.get(url)
    return driver.title


def script(text):
    return driver.execute_script(text)


def click(selector):
    """A real mouse press in the middle of what is found."""
    ActionChains(driver).move_to_element(find(selector)).click().perform()


def keys(text):
    """Presses keys; those without a letter by their name in selenium's Keys,
    as in "{ENTER}"."""
    from selenium.webdriver.common.keys import Keys
    chain = ActionChains(driver)
    if text.startswith("{"):
        chain.send_keys(getattr(Keys, text.strip("{}")))
    else:
        chain.send_keys(text)
    chain.perform()


def console():
    """What the page, or the browser about it, has said since the last time."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requests():
    """Addresses that the page has asked since the last time."""
    found = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(message["params"]["request"]["url"])
    return found


def size(width, height):
    driver.set_window_size(width, height)


def media(name, value):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": name, "value": value}]})


def picture(path):
    driver.save_screenshot(path)


FUNCTIONS = {f.__name__: f for f in (open_page, script, click, keys, console,
                                     requests, size, media, picture)}

print(json.dumps({"result": "ready"}), flush=True)
try:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": FUNCTIONS[request[0]](*request[1:])}
        except Exception as error:  # The test shall see it, whatever it is.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
finally:
    driver.quit()
