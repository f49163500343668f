"""The page of sdfwd in a real browser."""
import re

from browser import Browser
from daemon import until
from policy import manifest
from test_deviations import segment
from test_http import lab as http_lab

PAIR = '#deviations [data-id="service:shop/web>service:shop/db"]'
EVIL = "<img src=x onerror=document.title=1>"


def lab(sdfw):
    the_lab = http_lab(sdfw)
    try:
        the_lab.url = f"http://127.0.0.1:{the_lab.http.port}/"
        the_lab.browser = Browser(the_lab)
        the_lab.browser.ask("open_page", the_lab.url)
        until(lambda: the_lab.browser.count("#nodes .node"), "it draws", 30)
        # Lost when the page is loaded again.
        the_lab.browser.script("window.still = true")
    except BaseException:
        the_lab.close()
        raise
    return the_lab


def deviate(lab, source, target, port, n=1):
    one, other = lab.hosts[source], lab.hosts[target]
    one.inject(*[segment(one, other, port)] * n)


def press(lab, *keys):
    for key in keys:
        lab.browser.ask("keys", key)


def test_drawing(lab):
    """every service and network is a node, every link an edge with what it
    opens"""
    browser = lab.browser
    assert sorted(browser.texts("#nodes .name")) == ["app", "db", "outside",
                                                     "web"]
    assert browser.texts("#groups text") == ["shop  ·  enforce"]
    edges = browser.script("return [...document.querySelectorAll("
                           "'#edges .edge')].map(e => e.dataset.id)")
    assert sorted(edges) == ["network:outside>service:shop/web",
                             "service:shop/app>service:shop/db",
                             "service:shop/web>service:shop/app"]
    assert any("tcp/5432" in t for t in browser.texts("#edges text"))
    boxes = browser.script(
        "return [...document.querySelectorAll('#nodes .node rect')].map("
        "e => { const b = e.getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom]; })")
    for i, a in enumerate(boxes):
        assert a[0] >= 0 and a[1] > 0 and a[2] > a[0] + 60, a
        for b in boxes[:i]:
            assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1], \
                (a, b)
    assert "good" in browser.script(
        "return document.getElementById('status').className")


def test_traffic(lab):
    """an edge that is used shows it: in its title, and by its width"""
    web, app = lab.hosts["web1"], lab.hosts["app1"]
    app.ask("listen", 4, 8080)
    edge = '#edges [data-id="service:shop/web>service:shop/app"]'

    def width():
        return float(lab.browser.script(
            f"return document.querySelector('{edge} path.line')"
            ".getAttribute('stroke-width')"))
    until(lambda: "0 packets" in lab.browser.texts(edge + " title")[0]
          and lab.browser.count(edge + ".unused"), "it is unused", 20)
    before = width()
    number = web.ask("connect", app.address(), 8080)
    for _ in range(50):
        assert web.ask("talk", number, "hello") == "hello"
    until(lambda: "1 connection," in lab.browser.texts(edge + " title")[0],
          "it is used", 20)
    assert width() > before + 0.5
    assert not lab.browser.count(edge + ".unused")


def test_deviation(lab):
    """a deviation appears as a red edge without a reload, and a click on it
    tells its story: who, to whom, what, how often, which link is nearest"""
    browser = lab.browser
    assert not browser.count(PAIR)
    deviate(lab, "web1", "db1", 22, 3)
    until(lambda: browser.count(PAIR), "the edge appears", 20)
    assert browser.script("return window.still") is True
    colour = browser.script(
        f"return getComputedStyle(document.querySelector('{PAIR} path.line'))"
        ".stroke")
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    assert red > 2 * green and red > 2 * blue, colour
    until(lambda: "3 packets" in browser.texts("#list button")[0],
          "its packets are counted", 20)

    assert browser.script("return document.getElementById('story').hidden")
    browser.ask("click", PAIR + " text")
    story = browser.texts("#story")[0]
    for part in ("shop/web → shop/db", "tcp/22", "dropped", "no-link",
                 "shop/web/web1 (10.7.0.11)", "shop/db/db1 (10.7.0.31)",
                 "3 packets", "first seen", "last seen", "br0"):
        assert part in story, (part, story)
    places = browser.texts("#story code")
    record = lab.http.json("/deviations.json")
    nearest = (record["open"] + record["closed"])[0]["nearest"]
    assert f"{nearest['file']}:{nearest['line']}" in places, places
    until(lambda: "over" in browser.script(
        f"return document.querySelector('{PAIR}').getAttribute('class')"),
        "it is over, and drawn so", 30)
    assert "over" in browser.texts("#story .chip")


def test_keyboard(lab):
    """all of it works with keys only"""
    browser = lab.browser
    press(lab, "{ESCAPE}")
    assert browser.script("return document.getElementById('story').hidden")
    browser.script("document.activeElement.blur()")
    seen = []
    for _ in range(40):
        press(lab, "{TAB}")
        seen.append(browser.script(
            "return document.activeElement.dataset.id || ''"))
        if seen[-1] == "service:shop/web>service:shop/db":
            break
    else:
        raise AssertionError(seen)
    assert "service:shop/db" in seen
    press(lab, "{ENTER}")
    assert "tcp/22" in browser.texts("#story")[0]
    press(lab, "{ESCAPE}", "/", "db1")
    assert browser.script("return document.getElementById('search').value") \
        == "db1"
    press(lab, "{ESCAPE}")
    assert browser.script("return document.getElementById('search').value") \
        == ""


def test_search(lab):
    """searching and filtering narrow the list and step back the rest"""
    browser = lab.browser
    deviate(lab, "out1", "app1", 3389)
    until(lambda: any("tcp/3389" in t for t in browser.texts("#list button")),
          "both are listed", 20)
    press(lab, "{ESCAPE}", "/", "tcp/3389")
    until(lambda: [t for t in browser.texts("#list button")
                   if "tcp/3389" not in t] == [], "one is left")
    assert browser.count("#list button") == 1 and not browser.count(PAIR)
    assert browser.count("#edges .dim") == 3
    press(lab, "{ESCAPE}", "/", "5432")
    until(lambda: browser.count("#edges .edge:not(.dim)") == 1,
          "one edge stands out")
    dim = browser.script("return [...document.querySelectorAll("
                         "'#nodes .dim')].map(e => e.dataset.id)")
    assert sorted(dim) == ["network:outside", "service:shop/web"], dim
    press(lab, "{ESCAPE}", "/", "nothing like that")
    until(lambda: not browser.count("#list button"), "none is left")
    press(lab, "{ESCAPE}")
    until(lambda: browser.count("#list button") >= 2, "all are back")
    for name, value, left in (("reason", "spoof", 0), ("verdict", "pass", 0),
                              ("verdict", "drop", 2)):
        browser.script(
            f"const s = document.getElementById('{name}');"
            f"s.append(new Option('{value}')); s.value = '{value}';"
            "s.dispatchEvent(new Event('input', {bubbles: true}))")
        assert (browser.count("#list button") >= 2) == (left == 2), name
        browser.script(
            f"const s = document.getElementById('{name}'); s.value = '';"
            "s.dispatchEvent(new Event('input', {bubbles: true}))")


def test_topology_changes(lab):
    """another policy is drawn without a reload; text in it stays text"""
    browser = lab.browser
    reason = EVIL.replace("<", "&lt;").replace(">", "&gt;")
    lab.file("m.xml", manifest(links=f"""
        <link from="web" to="db" reason="{reason}"><tcp port="5432"/></link>"""
        ))
    until(lambda: browser.count('#edges [data-id="service:shop/web>'
                                'service:shop/db"]'), "it is drawn", 20)
    assert browser.count("#edges .edge") == 1
    browser.script("document.querySelector('#edges .edge').dispatchEvent("
                   "new MouseEvent('click', {bubbles: true}))")
    assert EVIL in browser.texts("#story")[0]
    assert not browser.count("#story img")
    lab.file("m.xml", manifest())
    until(lambda: browser.count("#edges .edge") == 3, "it is as before", 20)
    assert browser.script("return window.still") is True


def test_status(lab):
    """what is wrong is said at the top: a manifest, a bridge, sdfwd gone"""
    def status():
        return lab.browser.script(
            "const s = document.getElementById('status');"
            "return s.className + ' ' + s.textContent")
    lab.file("m.xml", manifest().replace('to="app"', 'to="appp"'))
    until(lambda: re.match(r"bad manifests are wrong: .*m\.xml:\d+", status()),
          "the manifest", 20)
    lab.file("m.xml", manifest())
    until(lambda: status().startswith("good"), "all is well", 20)
    assert not [m for m in lab.browser.ask("console")], "console is silent"
    lab.http.sdfwd.stop()
    until(lambda: "does not answer" in status(), "sdfwd", 30)
    lab.http.start()
    until(lambda: status().startswith("good"), "all is well", 30)
    # That it could not be asked is all the browser may have to say.
    assert all("ERR_CONNECTION" in m or "ERR_EMPTY" in m
               for m in lab.browser.ask("console"))


def test_quiet(lab):
    """nothing is asked of anybody else, and the console is silent, in light
    and in dark, on a small screen too"""
    browser = lab.browser
    browser.ask("requests"), browser.ask("console")
    background = set()
    for scheme in ("light", "dark"):
        browser.ask("media", "prefers-color-scheme", scheme)
        browser.ask("open_page", lab.url)
        until(lambda: browser.count("#edges .edge") == 3, "it draws", 20)
        background.add(browser.script(
            "return getComputedStyle(document.body).backgroundColor"))
    assert len(background) == 2, background
    browser.ask("size", 1100, 700)
    asked = set(browser.ask("requests"))
    assert {lab.url, lab.url + "script.js", lab.url + "style.css",
            lab.url + "topology.json", lab.url + "deviations.json"} <= asked
    strange = [a for a in asked if not a.startswith((lab.url, "data:"))]
    assert not strange, strange
    assert not browser.ask("console")
    wide = browser.script("return document.documentElement.scrollWidth"
                          " <= window.innerWidth")
    assert wide, "nothing sticks out at the side"
