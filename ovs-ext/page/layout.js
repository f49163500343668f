/* Where things are drawn.  Pure: the same topology gives the same picture.
 *
 * Each application is a box; in it, services stand in columns by the direction
 * of their links, and in a column near those that they talk to.  Boxes stand in
 * shelves, applications that open connections to others first.  Networks stand
 * at the left, or at the right if nothing comes from them. */
"use strict";

const NODE_WIDTH = 138, NODE_HEIGHT = 46, PAD = 24, HEAD = 44, GAP = 26,
    BELOW = 100;

/* Of an application; if there would be more, these are filled evenly. */
const MAX_COLUMNS = 7;

/* How far apart nodes are.  Many links show their text only when they are
 * pointed at, and need less room. */
const MANY_EDGES = 16;
const WIDE = { column: 248, row: 86, side: 110 };
const NARROW = { column: 196, row: 68, side: 64 };

/* The links between the same two ends are one edge.  Ids of nodes are
 * "service:shop/web", "network:internet" and "elsewhere:". */
function makeEdges(topology) {
  const networks = new Set(topology.networks.map(n => n.name));
  const id = name => (networks.has(name) ? "network:" : "service:") + name;
  const edges = new Map();
  for (const link of topology.links) {
    const from = id(link.from), to = id(link.to), key = `${from}>${to}`;
    if (!edges.has(key)) {
      edges.set(key, { id: key, from, to, links: [] });
    }
    edges.get(key).links.push(link);
  }
  return [...edges.values()];
}

/* The longest way to each of 'ids' along 'edges'; what closes a circle does
 * not count. */
function layersOf(ids, edges) {
  const next = new Map(ids.map(id => [id, []]));
  for (const e of edges) {
    if (next.has(e.from) && next.has(e.to) && e.from !== e.to) {
      next.get(e.from).push(e.to);
    }
  }
  const state = new Map(), order = [], forward = new Map();
  const visit = id => {
    state.set(id, 1);
    forward.set(id, next.get(id).filter(to => state.get(to) !== 1));
    for (const to of forward.get(id)) {
      if (!state.has(to)) {
        visit(to);
      }
    }
    state.set(id, 2);
    order.unshift(id);
  };
  ids.forEach(id => state.has(id) || visit(id));
  const layer = new Map(ids.map(id => [id, 0]));
  for (const id of order) {
    for (const to of forward.get(id)) {
      layer.set(to, Math.max(layer.get(to), layer.get(id) + 1));
    }
  }
  return layer;
}

/* Puts the nodes of a box into rows, near those that they have edges with. */
function placeRows(columns, edges) {
  const row = new Map();
  columns.forEach(column => column.forEach((id, i) => row.set(id, i)));
  const wish = id => {
    let sum = 0, n = 0;
    for (const e of edges) {
      const other = e.from === id ? e.to : e.to === id ? e.from : null;
      if (other && row.has(other)) {
        sum += row.get(other);
        n++;
      }
    }
    return n ? sum / n : row.get(id);
  };
  for (let round = 0; round < 4; round++) {
    for (const column of columns) {
      const wishes = new Map(column.map(id => [id, wish(id)]));
      column.sort((a, b) => wishes.get(a) - wishes.get(b));
      column.forEach((id, i) => row.set(id, i));
    }
  }
  const height = Math.max(...columns.map(c => c.length));
  columns.forEach(column => column.forEach((id, i) => {
    row.set(id, i + (height - column.length) / 2);
  }));
  return { row, height };
}

/* A box with its nodes, at 0, 0. */
function placeApplication(application, edges, space) {
  const ids = application.services.map(s => "service:" + s.path);
  const layer = layersOf(ids, edges);
  if (Math.max(...layer.values()) >= MAX_COLUMNS) {
    const sorted = ids.slice().sort((a, b) => layer.get(a) - layer.get(b));
    sorted.forEach((id, i) => layer.set(
      id, Math.floor(i * MAX_COLUMNS / ids.length)));
  }
  const columns = [];
  for (const id of ids) {
    (columns[layer.get(id)] ||= []).push(id);
  }
  const { row, height } = columns.length
    ? placeRows(columns, edges) : { row: new Map(), height: 0 };
  const nodes = application.services.map((service, i) => ({
    id: ids[i], kind: "service", label: service.name, service, application,
    x: PAD + layer.get(ids[i]) * space.column,
    y: HEAD + row.get(ids[i]) * space.row,
    width: NODE_WIDTH, height: NODE_HEIGHT,
  }));
  return {
    nodes,
    group: { name: application.name, application, x: 0, y: 0,
             width: 2 * PAD + Math.max(0, columns.length - 1) * space.column
                    + NODE_WIDTH,
             height: HEAD + Math.max(1, height) * space.row },
  };
}

/* Puts boxes beside and above one another, in order, so that all in all they
 * are about as wide as a screen.  Returns how wide and high that is. */
function placeShelves(boxes, x) {
  const area = boxes.reduce(
    (n, b) => n + (b.group.width + GAP) * (b.group.height + GAP), 0);
  const limit = 1.05 * Math.max(Math.sqrt(area * 1.3),
                                ...boxes.map(b => b.group.width));
  let left = 0, top = GAP, height = 0, width = 0, shelf = [];
  const end = () => {
    shelf.forEach(b => { b.group.height = height; });
    top += height + GAP;
    left = height = 0;
    shelf = [];
  };
  for (const box of boxes) {
    if (left && left + box.group.width > limit) {
      end();
    }
    for (const thing of [box.group, ...box.nodes]) {
      thing.x += x + left;
      thing.y += top;
    }
    left += box.group.width + GAP;
    width = Math.max(width, left - GAP);
    height = Math.max(height, box.group.height);
    shelf.push(box);
  }
  end();
  return { width, height: top };
}

/* Nodes beside the boxes: each at the height of what it has edges with, none
 * over another. */
function placeBeside(nodes, edges, placed, x, space) {
  for (const node of nodes) {
    const ys = edges.filter(e => e.from === node.id || e.to === node.id)
      .map(e => placed.get(e.from === node.id ? e.to : e.from))
      .filter(Boolean).map(other => other.y);
    node.x = x;
    node.y = ys.length ? ys.reduce((a, b) => a + b) / ys.length : 1e6;
  }
  nodes.sort((a, b) => a.y - b.y);
  let floor = GAP;
  for (const node of nodes) {
    node.y = Math.max(floor, node.y === 1e6 ? floor : node.y);
    floor = node.y + space.row;
  }
}

/* 'elsewhere' asks for a node for addresses that are nobody's. */
function layout(topology, elsewhere) {
  const edges = makeEdges(topology);
  const dense = edges.length > MANY_EDGES, space = dense ? NARROW : WIDE;
  const applicationOf = new Map();
  topology.applications.forEach(a => a.services.forEach(
    s => applicationOf.set("service:" + s.path, a.name)));
  const between = edges.map(e => ({ from: applicationOf.get(e.from),
                                    to: applicationOf.get(e.to) }))
    .filter(e => e.from && e.to);
  const rank = layersOf(topology.applications.map(a => a.name), between);
  const applications = topology.applications.slice()
    .sort((a, b) => rank.get(a.name) - rank.get(b.name));

  const outside = topology.networks.map(network => ({
    id: "network:" + network.name, kind: "network", label: network.name,
    network, width: NODE_WIDTH, height: NODE_HEIGHT,
  }));
  if (elsewhere) {
    outside.push({ id: "elsewhere:", kind: "elsewhere", label: "elsewhere",
                   width: NODE_WIDTH, height: NODE_HEIGHT });
  }
  const isSink = node => node.kind === "network"
    && edges.some(e => e.to === node.id)
    && !edges.some(e => e.from === node.id);
  const left = outside.filter(n => !isSink(n)), right = outside.filter(isSink);

  const x = GAP + (left.length ? NODE_WIDTH + space.side : 0);
  const boxes = applications.map(a => placeApplication(a, edges, space));
  const inner = placeShelves(boxes, x);
  const nodes = boxes.flatMap(b => b.nodes);
  const placed = new Map(nodes.map(n => [n.id, n]));
  placeBeside(left, edges, placed, GAP, space);
  placeBeside(right, edges, placed, x + inner.width + space.side, space);
  nodes.push(...left, ...right);
  return {
    nodes, edges, dense, groups: boxes.map(b => b.group),
    width: x + inner.width + GAP
           + (right.length ? NODE_WIDTH + space.side : 0),
    height: Math.max(inner.height, ...nodes.map(n => n.y + NODE_HEIGHT))
            + BELOW,
  };
}

/* Which sides of two nodes an edge joins, and which way it leaves them. */
function sidesOf(a, b) {
  if (b.x >= a.x + a.width) {
    return [1, 0, -1, 0];
  } else if (a.x >= b.x + b.width) {
    return [-1, 0, 1, 0];
  }
  return b.y >= a.y ? [0, 1, 0, -1] : [0, -1, 0, 1];
}

function anchor(node, dx, dy, along) {
  return { x: node.x + node.width / 2 + dx * node.width / 2
                + (dy ? along * node.width / 3 : 0),
           y: node.y + node.height / 2 + dy * node.height / 2
                + (dx ? along * node.height / 3 : 0) };
}

function cubic(p, c, e, q) {
  return { d: `M${p.x} ${p.y}C${c.x} ${c.y},${e.x} ${e.y},${q.x} ${q.y}`,
           x: (p.x + 3 * c.x + 3 * e.x + q.x) / 8,
           y: (p.y + 3 * c.y + 3 * e.y + q.y) / 8 };
}

/* From a node to itself: below it if it is a deviation. */
function loop(node, side) {
  const x = node.x + node.width / 2;
  const y = node.y + (side > 0 ? node.height : 0);
  return cubic({ x: x - 24, y }, { x: x - 40, y: y + 44 * side },
               { x: x + 40, y: y + 44 * side }, { x: x + 24, y });
}

/* About how many; nodes are not all in the same grid. */
const columnsBetween = (a, b) =>
  Math.round(Math.abs(a.x - b.x) / WIDE.column);
const inOneRow = (a, b) => Math.abs(a.y - b.y) < NODE_HEIGHT * 0.8;

/* The curve of a link from node 'a' to 'b'.  'along' (-1 to 1) is where on the
 * two sides it begins and ends.  One that spans more than a column swings
 * over what is between. */
function linkCurve(a, b, alongA, alongB) {
  if (a === b) {
    return loop(a, -1);
  }
  const [adx, ady, bdx, bdy] = sidesOf(a, b);
  const p = anchor(a, adx, ady, alongA), q = anchor(b, bdx, bdy, alongB);
  const distance = adx ? Math.abs(q.x - p.x) : Math.abs(q.y - p.y);
  const reach = Math.max(24, Math.min(130, distance * 0.5));
  const over = adx ? inOneRow(a, b) && columnsBetween(a, b) > 1
                   : distance > NODE_HEIGHT;
  const swing = over ? -(adx ? 30 + 14 * columnsBetween(a, b) : 150) : 0;
  return cubic(p, { x: p.x + adx * reach + (ady ? swing : 0),
                    y: p.y + ady * reach + (adx ? swing : 0) },
               { x: q.x + bdx * reach + (ady ? swing : 0),
                 y: q.y + bdy * reach + (adx ? swing : 0) }, q);
}

/* The curve of deviations, apart from that of a link between the same nodes:
 * in a row an arc below it, the way back below the way there. */
function deviationCurve(a, b) {
  if (a === b) {
    return loop(a, 1);
  }
  const forward = b.x > a.x || (b.x === a.x && b.y > a.y) ? 1 : -1;
  if (a.x === b.x) {
    /* Down at the right, up at the left. */
    const x = a.x + (forward > 0 ? a.width : 0), out = forward * 56;
    const from = a.y + a.height * (0.5 + forward * 0.2);
    const to = b.y + b.height * (0.5 - forward * 0.2);
    return cubic({ x, y: from }, { x: x + out, y: from },
                 { x: x + out, y: to }, { x, y: to });
  }
  const p = { x: a.x + a.width / 2, y: a.y + a.height };
  const q = { x: b.x + b.width / 2, y: b.y + b.height };
  if (inOneRow(a, b)) {
    p.x += forward * 16;
    q.x -= forward * 16;
    const depth = 26 + 0.11 * Math.abs(q.x - p.x) + (forward < 0 ? 18 : 0);
    const lean = (q.x - p.x) * 0.2;
    return cubic(p, { x: p.x + lean, y: p.y + depth },
                 { x: q.x - lean, y: q.y + depth }, q);
  }
  if (b.y < a.y) {
    p.y = a.y;
  } else {
    q.y = b.y;
  }
  p.x += forward * a.width / 5;
  q.x -= forward * b.width / 5;
  const bend = (q.y - p.y) * 0.6;
  return cubic(p, { x: p.x, y: p.y + bend }, { x: q.x, y: q.y - bend }, q);
}

/* Gives each edge its curve; those that share a side of a node are spread over
 * it in the order in which they lead away. */
function routeEdges(edges, nodes) {
  const sides = new Map();
  const join = (node, dx, dy, other, set) => {
    const key = `${node.id} ${dx} ${dy}`;
    if (!sides.has(key)) {
      sides.set(key, []);
    }
    sides.get(key).push({ at: dx ? other.y : other.x, set });
  };
  for (const e of edges) {
    const a = nodes.get(e.from), b = nodes.get(e.to);
    const [adx, ady, bdx, bdy] = sidesOf(a, b);
    e.alongA = e.alongB = 0;
    if (a !== b) {
      join(a, adx, ady, b, along => { e.alongA = along; });
      join(b, bdx, bdy, a, along => { e.alongB = along; });
    }
  }
  for (const ends of sides.values()) {
    ends.sort((a, b) => a.at - b.at);
    ends.forEach((end, i) => end.set(
      ends.length > 1 ? 2 * i / (ends.length - 1) - 1 : 0));
  }
  for (const e of edges) {
    e.curve = linkCurve(nodes.get(e.from), nodes.get(e.to), e.alongA,
                        e.alongB);
  }
}
