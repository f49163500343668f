/* What is told of deviations, a link or a node when it is selected: lists of
 * elements. */
"use strict";

const MAX_IN_STORY = 30;

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

function storyOfPair(pair, numberWanted) {
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

function storyOfEdge(edge) {
  return [
    html("h2", {}, `${edge.links[0].from} → ${edge.links[0].to}`),
    ...edge.links.map(storyOfLink),
  ];
}

function storyOfNode(node) {
  if (node.network) {
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
