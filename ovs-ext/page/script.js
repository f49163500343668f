/* The page of sdfwd: asks for topology.json and deviations.json every two
 * seconds and draws what has changed.  All text is inserted as text. */
"use strict";

const POLL_MS = 2000, MAX_LISTED = 200, MAX_IN_STORY = 30;
const SVG = "http://www.w3.org/2000/svg";
const $ = id => document.getElementById(id);

const state = {
  topology: null, deviations: [], notShown: 0, shape: "", picture: null,
  rates: new Map(), last: null, selected: null, answered: true,
};

/* Making elements. */

function make(namespace, tag, attributes, children) {
  const element = namespace ? document.createElementNS(namespace, tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== undefined && value !== null) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter(c => c !== null && c !== undefined));
  return element;
}
const html = (tag, attributes = {}, ...children) =>
  make(null, tag, attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  make(SVG, tag, attributes, children);

function replace(parent, ...children) {
  parent.replaceChildren(...children.filter(Boolean));
}

/* Words. */

const number = n => n.toLocaleString("en");

function short(n) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= size) {
      return (n / size).toFixed(n < 10 * size ? 1 : 0) + unit;
    }
  }
  return String(n);
}

function when(text) {
  const date = new Date(text);
  const day = date.toDateString() === new Date().toDateString() ? ""
    : date.toLocaleDateString("sv") + " ";
  return day + date.toLocaleTimeString("sv");
}

function plural(n, word) {
  return `${number(n)} ${word}${n === 1 ? "" : "s"}`;
}

function party(end) {
  const address = end.address || end.mac;
  return end.workload
    ? `${end.application}/${end.service}/${end.workload} (${address})`
    : end.network ? `${end.network} (${address})` : address;
}

const PROTOCOLS = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp" };

function whatOf(d) {
  if (d.protocol === undefined) {
    return d.eth_type === "0x0806" ? "arp" : `ethertype ${d.eth_type}`;
  }
  const name = PROTOCOLS[d.protocol] || `protocol/${d.protocol}`;
  const detail = d.icmp_type !== undefined ? d.icmp_type : d.dst_port;
  return detail === undefined ? name : `${name}/${detail}`;
}

/* The node that an end of a deviation is drawn at. */
function nodeOf(end) {
  return end.service ? `service:${end.application}/${end.service}`
    : end.network ? `network:${end.network}` : "elsewhere:";
}

/* Filters. */

const words = () => $("search").value.toLowerCase().split(/\s+/)
  .filter(Boolean);
const matches = text => {
  text = text.toLowerCase();
  return words().every(word => text.includes(word));
};

function textOfDeviation(d) {
  const n = d.nearest;
  return [party(d.src), party(d.dst), d.src.mac, d.dst.mac, whatOf(d),
          d.reason, d.verdict, d.bridge, d.segment,
          n ? `${n.from} ${n.to} ${n.opens} ${n.file}:${n.line}` : ""]
    .join(" ");
}

function textOfNode(node) {
  if (node.service) {
    return [node.service.path, ...node.service.workloads.flatMap(
      w => [w.name, w.binding, ...w.addresses])].join(" ");
  }
  return [node.label, ...(node.network ? node.network.prefixes : [])]
    .join(" ");
}

function textOfEdge(edge) {
  return edge.links.flatMap(l => [
    l.from, l.to, l.reason || "", l.ticket || "", `${l.file}:${l.line}`,
    ...l.openings.map(o => o.opens)]).join(" ");
}

const shown = () => state.deviations.filter(d =>
  (!$("reason").value || d.reason === $("reason").value)
  && (!$("verdict").value || d.verdict === $("verdict").value)
  && (!$("state").value || (d.event === "close" ? "over" : "open")
                           === $("state").value)
  && matches(textOfDeviation(d)));

/* Drawing. */

/* Makes 'element' selectable by mouse and keys. */
function selectable(element, kind, id, label) {
  const choose = event => {
    event.stopPropagation();
    select(kind, id);
  };
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "button");
  element.setAttribute("aria-label", label);
  element.dataset.id = id;
  element.addEventListener("click", choose);
  element.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(event);
    }
  });
  return element;
}

function clip(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}

function drawGroup(g) {
  const { name, version, mode } = g.application;
  return svg("g", { class: "group" },
    svg("rect", { x: g.x, y: g.y, width: g.width, height: g.height, rx: 10 }),
    svg("text", { x: g.x + 12, y: g.y + 17 },
      [name, version, mode].filter(Boolean).join("  ·  ")));
}

function subtitle(node) {
  if (node.service) {
    const all = node.service.workloads;
    return `${all.filter(w => w.bound).length} of ${all.length} here`;
  }
  return node.network ? clip(node.network.prefixes.join(" "), 20)
    : "nobody's address";
}

function drawNode(node) {
  const service = node.service;
  const classes = ["node", node.kind];
  if (service) {
    classes.push(service.mode);
    if (!service.workloads.some(w => w.bound)) {
      classes.push("unbound");
    }
  }
  return selectable(svg("g", { class: classes.join(" "),
                              transform: `translate(${node.x} ${node.y})` },
    svg("title", {}, textOfNode(node)),
    svg("rect", { width: node.width, height: node.height,
                 rx: service ? 7 : 22 }),
    svg("text", { class: "name", x: service ? 12 : 18, y: 19 },
      clip(node.label, 15)),
    svg("text", { class: "sub", x: service ? 12 : 18, y: 34 },
      subtitle(node))), "node", node.id, `${node.kind} ${node.label}`);
}

function arrow(id, size) {
  return svg("marker", { id, viewBox: "0 0 10 10", refX: 9, refY: 5,
                        markerWidth: size, markerHeight: size,
                        markerUnits: "userSpaceOnUse",
                        orient: "auto-start-reverse" },
    svg("path", { d: "M0 0L10 5L0 10z" }));
}

const curveParts = (mark) => [
  svg("path", { class: "hit" }),
  svg("path", { class: "line", "marker-end": `url(#${mark})` }),
  svg("text"),
];

function setCurve(g, c, text, width) {
  const [hit, line, label] = g.querySelectorAll("path.hit, path.line, text");
  hit.setAttribute("d", c.d);
  line.setAttribute("d", c.d);
  if (width) {
    line.setAttribute("stroke-width", width);
  }
  label.setAttribute("x", c.x);
  label.setAttribute("y", c.y + (width ? -6 : 4));
  label.textContent = text;
}

/* Everything anew; needed only if there are other nodes or links. */
function drawPicture() {
  const picture = layout(state.topology, needsElsewhere());
  picture.byId = new Map(picture.nodes.map(n => [n.id, n]));
  picture.edges = picture.edges.filter(
    e => picture.byId.has(e.from) && picture.byId.has(e.to));
  routeEdges(picture.edges, picture.byId);
  state.picture = picture;

  const graph = $("graph");
  graph.setAttribute("viewBox", `0 0 ${picture.width} ${picture.height}`);
  graph.classList.toggle("dense", picture.dense);
  const layer = id => svg("g", { id });
  replace(graph, svg("defs", {}, arrow("tip", 9), arrow("red-tip", 11)),
          layer("groups"), layer("edges"), layer("nodes"),
          layer("deviations"));
  $("groups").append(...picture.groups.map(drawGroup));
  $("nodes").append(...picture.nodes.map(drawNode));
  $("edges").append(...picture.edges.map(edge => selectable(
    svg("g", {}, svg("title"), ...curveParts("tip")), "edge", edge.id,
    `link ${edge.links[0].from} to ${edge.links[0].to}`)));
  fit();
}

/* As wide as there is room for, but readable. */
function fit() {
  if (state.picture) {
    const { width, height } = state.picture, box = $("drawing");
    const scale = Math.min(1.35, Math.max(0.66, Math.min(
      (box.clientWidth - 24) / width,
      (box.clientHeight - 24) / height)));
    $("graph").setAttribute("width", width * scale);
    $("graph").setAttribute("height", height * scale);
  }
}

function sum(edge, member) {
  return edge.links.reduce((n, l) => n + (l[member] || 0), 0);
}

function openingsText(edge) {
  const openings = edge.links.flatMap(l => l.openings)
    .sort((a, b) => (b.packets || 0) - (a.packets || 0));
  return openings[0].opens
    + (openings.length > 1 ? ` +${openings.length - 1}` : "");
}

function updateEdges() {
  const elements = new Map([...$("edges").children].map(g => [g.dataset.id,
                                                              g]));
  for (const edge of state.picture.edges) {
    const g = elements.get(edge.id), packets = sum(edge, "packets");
    const rate = state.rates.get(edge.id) || 0;
    const known = edge.links.some(l => l.packets !== undefined);
    g.setAttribute("class", ["edge", known && !packets ? "unused" : "",
                             rate ? "busy" : ""].join(" "));
    setCurve(g, edge.curve, openingsText(edge)
      + (rate ? ` · ${short(Math.max(1, Math.round(rate)))}/s` : ""),
      (1.3 + Math.min(4.2, Math.log10(1 + packets) * 0.75)).toFixed(2));
    g.querySelector("title").textContent
      = `${edge.links[0].from} → ${edge.links[0].to}: `
      + (known ? `${plural(sum(edge, "connections"), "connection")}, `
                 + plural(packets, "packet") : "not counted yet");
  }
}

const needsElsewhere = () => state.deviations.some(
  d => nodeOf(d.src) === "elsewhere:" || nodeOf(d.dst) === "elsewhere:");

/* Deviations between the same two nodes are one edge. */
function pairsOf(deviations) {
  const pairs = new Map();
  for (const d of deviations) {
    const end = e => {
      const id = nodeOf(e);
      return state.picture.byId.has(id) ? id : "elsewhere:";
    };
    const from = end(d.src), to = end(d.dst), id = `${from}>${to}`;
    if (!state.picture.byId.has(from) || !state.picture.byId.has(to)) {
      continue;
    }
    if (!pairs.has(id)) {
      pairs.set(id, { id, from, to, all: [] });
    }
    pairs.get(id).all.push(d);
  }
  return pairs;
}

function pairText(pair) {
  const kinds = [...new Set(pair.all.map(d =>
    d.reason === "no-link" ? whatOf(d) : d.reason))];
  const packets = pair.all.reduce((n, d) => n + d.packets, 0);
  return `${kinds.slice(0, 2).join(", ")}`
    + `${kinds.length > 2 ? ` +${kinds.length - 2}` : ""} · ${short(packets)}`;
}

/* In place, so that what has the focus keeps it. */
function updateDeviations() {
  const pairs = pairsOf(shown()), layer = $("deviations");
  const old = new Map([...layer.children].map(g => [g.dataset.id, g]));
  for (const [id, g] of old) {
    if (!pairs.has(id)) {
      g.remove();
    }
  }
  const { byId } = state.picture;
  for (const node of $("nodes").children) {
    node.classList.remove("struck");
  }
  const nodes = new Map([...$("nodes").children].map(g => [g.dataset.id, g]));
  for (const pair of pairs.values()) {
    let g = old.get(pair.id);
    const a = byId.get(pair.from), b = byId.get(pair.to);
    if (!g) {
      g = selectable(svg("g", {}, svg("title"), ...curveParts("red-tip")),
        "pair", pair.id, `deviation ${a.label} to ${b.label}`);
      layer.append(g);
    }
    const open = pair.all.some(d => d.event !== "close");
    const passes = pair.all.every(d => d.verdict === "pass");
    g.setAttribute("class", ["deviation", open ? "open" : "over",
                             passes ? "pass" : "drop"].join(" "));
    setCurve(g, deviationCurve(a, b), pairText(pair));
    g.querySelector("title").textContent = `${a.label} → ${b.label}: `
      + plural(pair.all.length, "deviation");
    if (open) {
      nodes.get(pair.to)?.classList.add("struck");
    }
  }
}

/* What does not match the search steps back. */
function updateEmphasis() {
  const searching = words().length > 0, lit = new Set();
  const { kind, id } = state.selected || {};
  for (const g of $("edges").children) {
    const edge = state.picture.edges.find(e => e.id === g.dataset.id);
    const hit = matches(textOfEdge(edge));
    g.classList.toggle("dim", searching && !hit);
    g.classList.toggle("selected", kind === "edge" && id === edge.id);
    g.classList.toggle("near", kind === "node"
                       && (edge.from === id || edge.to === id));
    if (hit) {
      lit.add(edge.from).add(edge.to);
    }
  }
  for (const g of $("deviations").children) {
    g.classList.toggle("selected", kind === "pair" && id === g.dataset.id);
    g.dataset.id.split(">").forEach(end => lit.add(end));
  }
  for (const g of $("nodes").children) {
    const node = state.picture.byId.get(g.dataset.id);
    g.classList.toggle("dim", searching && !lit.has(node.id)
                       && !matches(textOfNode(node)));
    g.classList.toggle("selected", kind === "node" && id === node.id);
  }
}

/* The list. */

function updateList() {
  const all = shown(), open = all.filter(d => d.event !== "close");
  $("count").textContent = `Deviations: ${number(open.length)} open, `
    + `${number(all.length - open.length)} over`;
  document.title = open.length ? `(${open.length}) sdfwd` : "sdfwd";
  const focused = document.activeElement.dataset?.number;
  const items = all.slice(0, MAX_LISTED).map(d => {
    const pair = `${nodeOf(d.src)}>${nodeOf(d.dst)}`;
    return html("li", {}, html("button", {
      type: "button", "data-number": d.id,
      class: `${d.event === "close" ? "over" : "open"} ${d.verdict}`,
      "aria-pressed": String(state.selected?.kind === "pair"
                             && state.selected.id === pair
                             && state.selected.number === d.id),
      onclick: () => select("pair", pair, d.id),
    }, html("span", { class: "who" }, `${party(d.src)} → ${party(d.dst)}`),
       html("span", { class: "what" },
         `${whatOf(d)}, ${d.reason}, ${d.verdict === "drop" ? "dropped"
           : "passed"}; ${plural(d.packets, "packet")}, `
         + `${d.event === "close" ? "over since" : "last"} `
         + when(d.last_seen))));
  });
  const left = all.length - items.length + state.notShown;
  if (left > 0) {
    items.push(html("li", { class: "note" },
      `${number(left)} more; search to narrow`));
  } else if (!items.length && state.topology) {
    items.push(html("li", { class: "note" }, state.deviations.length
      ? "None of the deviations matches." : "No deviations: all traffic is "
        + "as the manifests say."));
  }
  replace($("list"), ...items);
  if (focused) {
    $("list").querySelector(`[data-number="${focused}"]`)?.focus();
  }
}

/* The story of what is selected. */

function facts(...pairs) {
  return html("dl", {}, ...pairs.filter(p => p && p[1] !== undefined
                                             && p[1] !== "")
    .flatMap(([name, value]) => [html("dt", {}, name),
                                 html("dd", {}, value)]));
}

const place = thing => html("code", {}, `${thing.file}:${thing.line}`);

function storyOfOne(d) {
  const n = d.nearest;
  return html("div", { class: "one" },
    html("p", {}, html("strong", {}, `${whatOf(d)} `),
      html("span", { class: `chip ${d.verdict}` },
        d.verdict === "drop" ? "dropped" : "passed"), " ",
      html("span", { class: "chip" }, d.reason), " ",
      html("span", { class: "chip" },
        d.event === "close" ? "over" : "goes on")),
    facts(["from", party(d.src)], ["to", party(d.dst)],
      ["how often", `${plural(d.packets, "packet")}, `
                    + plural(d.bytes, "byte")],
      ["first seen", when(d.first_seen)], ["last seen", when(d.last_seen)],
      ["where", `${d.bridge}, port ${d.in_port}`
                + (d.segment ? `, segment ${d.segment}` : "")],
      n && ["nearest link", html("span", {}, `${n.from} → ${n.to} ${n.opens}, `
                                 + `${n.but}; `, place(n))]));
}

function storyOfPair(id, numberWanted) {
  const pair = pairsOf(shown()).get(id);
  if (!pair) {
    return null;
  }
  const all = pair.all.slice().sort(
    (a, b) => (b.id === numberWanted) - (a.id === numberWanted));
  const name = end => end.replace(/^[a-z]+:/, "") || "elsewhere";
  return [
    html("h2", {}, `${name(pair.from)} → ${name(pair.to)}`),
    html("p", {}, `${plural(all.length, "deviation")}, `
      + `${plural(all.reduce((n, d) => n + d.packets, 0), "packet")}.`),
    ...all.slice(0, MAX_IN_STORY).map(storyOfOne),
    all.length > MAX_IN_STORY
      ? html("p", { class: "note" },
             `${number(all.length - MAX_IN_STORY)} more`) : null,
  ];
}

function storyOfLink(link) {
  return html("div", { class: "one" },
    facts(["opens", link.openings.map(o => o.opens).join(", ")],
      ["reason", link.reason], ["ticket", link.ticket],
      ["declared in", place(link)],
      link.valid ? null : ["validity", "not valid now"],
      ["not before", link.not_before && when(link.not_before)],
      ["not after", link.not_after && when(link.not_after)]),
    ...link.openings.filter(o => o.packets !== undefined).map(o => html("p",
      {}, html("strong", {}, `${o.opens}: `), o.packets
        ? `${plural(o.connections, "connection")}, `
          + `${plural(o.packets, "packet")}, ${plural(o.bytes, "byte")}`
        : "never used")));
}

function storyOfEdge(id) {
  const edge = state.picture.edges.find(e => e.id === id);
  return edge && [
    html("h2", {}, `${edge.links[0].from} → ${edge.links[0].to}`),
    ...edge.links.map(storyOfLink),
  ];
}

function storyOfNode(id) {
  const node = state.picture.byId.get(id);
  if (!node) {
    return null;
  } else if (node.network) {
    return [html("h2", {}, node.label),
      facts(["prefixes", node.network.prefixes.join(", ")],
        ["but not", node.network.exceptions.join(", ")],
        ["segment", node.network.segment], ["declared in",
                                            place(node.network)])];
  } else if (!node.service) {
    return [html("h2", {}, "elsewhere"), html("p", {},
      "Addresses that no workload has and no network holds.")];
  }
  return [html("h2", {}, node.service.path),
    facts(["mode", node.service.mode], ["segment", node.service.segment],
      ["version", node.application.version],
      ["declared in", place(node.service)]),
    ...node.service.workloads.map(w => html("div", { class: "one" },
      html("strong", {}, w.name), facts(["found by", w.binding],
        ["addresses", w.addresses.join(", ")],
        ["port", w.bound ? `${w.port} of ${w.bridge}` : "not here"])))];
}

function updateStory() {
  const { kind, id, number: wanted } = state.selected || {};
  const story = kind === "pair" ? storyOfPair(id, wanted)
    : kind === "edge" ? storyOfEdge(id)
    : kind === "node" ? storyOfNode(id) : null;
  const box = $("story"), scroll = box.scrollTop;
  box.hidden = !story;
  if (story) {
    const focused = box.contains(document.activeElement);
    replace(box, html("button", { class: "close", type: "button",
                                 "aria-label": "Close",
                                 onclick: () => select(null) }, "×"),
            ...story);
    box.scrollTop = scroll;
    if (focused) {
      box.querySelector(".close").focus();
    }
  }
}

function select(kind, id, numberWanted) {
  state.selected = kind ? { kind, id, number: numberWanted } : null;
  updateEmphasis();
  updateList();
  updateStory();
  $("story").scrollTop = 0;
}

/* Status. */

function updateStatus() {
  const t = state.topology, problems = [];
  if (!state.answered) {
    problems.push("sdfwd does not answer; what is shown is old");
  } else if (t) {
    if (!t.manifests_valid) {
      problems.push("manifests are wrong: " + (t.error || "none was read"));
    }
    for (const b of t.bridges) {
      if (!b.connected) {
        problems.push(`bridge ${b.name} is not connected`);
      }
      if (b.error) {
        problems.push(b.error);
      }
    }
  }
  const status = $("status");
  status.className = problems.length ? "bad" : t ? "good" : "";
  status.textContent = problems.length ? problems.join("; ")
    : t ? `policy read ${when(t.loaded)}; ` + t.bridges.map(b =>
        `${b.name}: ${plural(b.flows, "flow")}, `
        + plural(b.workloads, "workload")).join("; ")
    : "asking sdfwd …";
}

/* Asking. */

/* Packets per second of each edge, from the last two times that flows were
 * read. */
function updateRates() {
  const counted = Math.max(0, ...state.topology.bridges.map(
    b => Date.parse(b.counted) || 0));
  const last = state.last;
  if (last && last.counted === counted) {
    return;
  }
  const packets = new Map(state.picture.edges.map(
    e => [e.id, sum(e, "packets")]));
  state.rates = new Map();
  for (const [id, n] of packets) {
    const before = last?.packets.get(id);
    if (last?.counted && before !== undefined && n > before) {
      state.rates.set(id, (n - before) / ((counted - last.counted) / 1000));
    }
  }
  state.last = { counted, packets };
}

function update() {
  updateStatus();
  if (state.picture) {
    updateEdges();
    updateDeviations();
    updateEmphasis();
    updateList();
    updateStory();
  }
}

function updateReasons() {
  const select = $("reason");
  const known = new Set([...select.options].map(o => o.value));
  for (const reason of new Set(state.deviations.map(d => d.reason))) {
    if (!known.has(reason)) {
      select.append(html("option", {}, reason));
    }
  }
}

function take(topology, deviations) {
  state.topology = topology;
  state.deviations = [...deviations.open, ...deviations.closed];
  state.notShown = deviations.open_not_shown;
  const shape = JSON.stringify([
    needsElsewhere(), topology.networks,
    topology.applications.map(a => [a.name, a.version, a.mode, a.services]),
    topology.links.map(l => [l.from, l.to, l.openings.map(o => o.opens)]),
  ]);
  if (shape !== state.shape) {
    state.shape = shape;
    drawPicture();
  }
  /* The counts of the links are those of this answer. */
  const edges = new Map(makeEdges(topology).map(e => [e.id, e]));
  for (const edge of state.picture.edges) {
    edge.links = edges.get(edge.id).links;
  }
  updateRates();
  updateReasons();
}

async function ask(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(8000) });
  if (!response.ok) {
    throw new Error(`${path}: ${response.status}`);
  }
  return response.json();
}

async function poll() {
  if (!document.hidden) {
    try {
      take(...await Promise.all([ask("topology.json"),
                                 ask("deviations.json")]));
      state.answered = true;
    } catch (error) {
      state.answered = false;
    }
    update();
  }
  setTimeout(poll, POLL_MS);
}

/* Keys and controls. */

document.addEventListener("keydown", event => {
  const typing = event.target.matches("input, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    $("search").focus();
  } else if (event.key === "Escape") {
    if (typing) {
      event.target.blur();
    }
    if ($("search").value) {
      $("search").value = "";
      update();
    } else {
      select(null);
    }
  }
});
$("filter").addEventListener("input", update);
$("filter").addEventListener("submit", event => event.preventDefault());
$("drawing").addEventListener("click", () => select(null));
window.addEventListener("resize", fit);
poll();
