/* Elements, and what deviations are called.  All text is inserted as text. */
"use strict";

const SVG = "http://www.w3.org/2000/svg";

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
