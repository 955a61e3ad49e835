"use strict";
(() => {
  const get = id => document.getElementById(id);
  const view = get("view"), table = get("rows");
  if (!view) return;
  const cards = [...document.querySelectorAll(".card[data-image]")];
  const rows = table ? [...table.tBodies[0].rows] : [];
  const rowOf = new Map(rows.map(row => [row.dataset.key, row]));
  let card = null, chosen = null, at = {x: 0, y: 0, zoom: 1}, size = [1, 1];
  get("viewer").hidden = false;
  document.querySelectorAll(".filters").forEach(form => { form.hidden = false; });

  // The viewer: a copy of a card's picture, seen through a window that moves.
  const fit = () => Math.min(view.clientWidth / size[0], view.clientHeight / size[1]);
  const most = () => Math.max(40, fit());
  function look(x, y, zoom) {
    zoom = Math.min(Math.max(zoom, fit()), most());
    const w = view.clientWidth / zoom, h = view.clientHeight / zoom;
    const keep = (c, side, half) => side <= 2 * half ? side / 2 : Math.min(Math.max(c, half), side - half);
    at = {x: keep(x, size[0], w / 2), y: keep(y, size[1], h / 2), zoom};
    view.setAttribute("viewBox", [at.x - w / 2, at.y - h / 2, w, h].map(v => v.toFixed(3)).join(" "));
    view.style.setProperty("--u", 1 / zoom);
    view.classList.toggle("close", zoom * devicePixelRatio >= 3);
    const nm = Number(card.dataset.pixel), wanted = 0.25 * view.clientWidth / zoom * nm;
    const power = 10 ** Math.floor(Math.log10(wanted));
    const bar = Math.max(...[1, 2, 5].map(s => s * power).filter(s => s <= wanted * 1.0001));
    get("scale").lastElementChild.style.width = `${bar / nm * zoom}px`;
    get("scale").firstElementChild.textContent = bar < 1000 ? `${Number(bar.toPrecision(3))} nm` : `${bar / 1000} µm`;
    crowd();
  }
  function crowd() {
    const w = view.clientWidth / at.zoom, h = view.clientHeight / at.zoom;
    const seen = [...view.querySelectorAll(".number")].filter(n =>
      Math.abs(n.getAttribute("x") - at.x) < w / 2 && Math.abs(n.getAttribute("y") - at.y) < h / 2);
    view.classList.toggle("no-numbers", !get("with-numbers").checked || seen.length > 80);
  }
  const zoomBy = factor => look(at.x, at.y, at.zoom * factor);
  const move = (right, down) => look(at.x + right / at.zoom, at.y + down / at.zoom, at.zoom);
  function open(next) {
    if (!next || next === card) return;
    card = next;
    const drawing = card.querySelector("svg"), box = drawing.viewBox.baseVal;
    size = [box.width, box.height];
    view.replaceChildren(...[...drawing.children].map(part => part.cloneNode(true)));
    view.querySelectorAll("[id]").forEach(part => part.removeAttribute("id"));
    get("shown").textContent = card.querySelector("h3").textContent;
    get("facts").replaceChildren(...[...card.querySelectorAll("p")].map(p => p.cloneNode(true)));
    const i = cards.indexOf(card);
    get("previous").disabled = i === 0;
    get("next").disabled = i === cards.length - 1;
    const frames = stack();
    get("frames").hidden = frames.length < 2;
    get("frame").max = frames.length - 1;
    get("frame").value = frames.indexOf(card);
    view.setAttribute("aria-label", `${get("shown").textContent}, ${view.querySelectorAll(".pore").length} pores`);
    mark();
    look(size[0] / 2, size[1] / 2, 0);
  }
  const stack = () => card.dataset.stack ? cards.filter(c => c.dataset.stack === card.dataset.stack) : [card];
  const step = by => { choose(null); open(cards[cards.indexOf(card) + by]); };
  function mark() {
    view.querySelectorAll(".pore").forEach(path => {
      const row = rowOf.get(path.dataset.key);
      path.classList.toggle("off", Boolean(row && row.hidden));
      path.classList.toggle("chosen", Boolean(chosen) && chosen.dataset.key === path.dataset.key);
    });
  }

  // A row and its pore.
  function choose(row, enlarge = true, focus = false) {
    if (chosen) { chosen.setAttribute("aria-selected", "false"); chosen.tabIndex = -1; }
    chosen = row;
    get("chosen").replaceChildren();
    if (!row) { const first = rows.find(r => !r.hidden); if (first) first.tabIndex = 0; if (card) mark(); return; }
    rows.forEach(r => { r.tabIndex = -1; });
    row.tabIndex = 0;
    row.setAttribute("aria-selected", "true");
    open(cards.find(c => c.dataset.image === row.dataset.image));
    mark();
    const path = view.querySelector(".pore.chosen");
    if (path && enlarge) {
      const box = path.getBBox(), side = Math.max(box.width, box.height, 8) / 2;
      look((box.x + box.width / 2 + .5) / 2, (box.y + box.height / 2 + .5) / 2,
        Math.min(Math.min(view.clientWidth, view.clientHeight) / (4 * side), 30));
    }
    const crop = row.querySelector(".crop");
    if (crop) get("chosen").replaceChildren(...[...crop.children].map(part => {
      const copy = part.cloneNode(true);
      copy.style.width = copy.style.height = "110px";
      return copy;
    }));
    const frame = table.closest(".scroll"), top = row.offsetTop - table.tHead.offsetHeight;
    if (row.offsetTop + row.offsetHeight > frame.scrollTop + frame.clientHeight || top < frame.scrollTop)
      frame.scrollTop = top - (frame.clientHeight - row.offsetHeight) / 3;
    if (focus) row.focus({preventScroll: true});
  }
  const walk = by => {
    const here = [...table.tBodies[0].rows].filter(r => !r.hidden), i = here.indexOf(chosen);
    const next = here[Math.min(Math.max(i + by, 0), here.length - 1)];
    if (next) choose(next, true, true);
  };
  if (table) {
    table.tBodies[0].addEventListener("click", event => {
      const row = event.target.closest("tr");
      if (row) choose(row, true, true);
    });
    table.tBodies[0].addEventListener("keydown", event => {
      const by = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9}[event.key];
      if (by) walk(by);
      else if (event.key === "Enter" || event.key === " ") choose(event.target.closest("tr"), true, true);
      else return;
      event.preventDefault();
    });
    // Sorting: numbers by value, text by its letters, what is unknown last.
    table.tHead.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
      const head = button.closest("th"), up = head.getAttribute("aria-sort") !== "ascending";
      table.tHead.querySelectorAll("th").forEach(h => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = row => row.cells[head.cellIndex].textContent.trim();
      const keyed = rows.map(row => [key(row), row]);
      const order = (a, b) => isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
      keyed.sort(([a], [b]) => a === "" || b === "" ? (a === "") - (b === "") : (up ? 1 : -1) * order(a, b));
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    }));
    const form = get("filters");
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(filter));
    form.addEventListener("input", filter);
    filter();
  }
  function filter() {
    const field = id => get(id) ? get(id).value.trim() : "";
    const words = field("of-image").toLowerCase(), border = field("of-border");
    const low = field("of-least"), high = field("of-most"), sure = field("of-confidence");
    let n = 0;
    rows.forEach(row => {
      const {name, diameter, confidence, border: cut} = row.dataset;
      row.hidden = !name.toLowerCase().includes(words)
        || low !== "" && !(diameter !== "" && Number(diameter) >= Number(low))
        || high !== "" && !(diameter !== "" && Number(diameter) <= Number(high))
        || sure !== "" && !(confidence !== "" && Number(confidence) >= Number(sure))
        || border === "without" && cut === "1" || border === "only" && cut !== "1";
      n += !row.hidden;
    });
    get("count").textContent = n === rows.length ? `${n} pores` : `${n} of ${rows.length} pores`;
    document.querySelectorAll(".card .pore").forEach(path => {
      const row = rowOf.get(path.dataset.key);
      path.classList.toggle("off", Boolean(row && row.hidden));
    });
    choose(chosen && !chosen.hidden ? chosen : null, false);
  }

  // Mouse, fingers, keys and buttons of the viewer.
  const fingers = new Map();
  let travelled = 0, spread = 0;
  const place = event => {
    const box = view.getBoundingClientRect();
    return [at.x + (event.clientX - box.left - box.width / 2) / at.zoom,
      at.y + (event.clientY - box.top - box.height / 2) / at.zoom];
  };
  view.addEventListener("pointerdown", event => {
    fingers.set(event.pointerId, event);
    if (fingers.size === 1) travelled = 0;
    spread = 0;
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
    fingers.set(event.pointerId, event);
    travelled += Math.abs(dx) + Math.abs(dy);
    move(-dx / fingers.size, -dy / fingers.size);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (spread) zoomBy(now / spread);
      spread = now;
    }
  });
  const lift = event => { fingers.delete(event.pointerId); spread = 0; };
  view.addEventListener("pointercancel", lift);
  view.addEventListener("pointerup", event => {
    lift(event);
    if (travelled > 6 || fingers.size) return;
    const [x, y] = place(event);
    let best = null, least = 12 / at.zoom;
    view.querySelectorAll(".pore").forEach(path => {
      const box = path.getBBox(), half = [box.width / 4, box.height / 4];
      const off = Math.hypot(Math.max(Math.abs(x - box.x / 2 - half[0]) - half[0], 0),
        Math.max(Math.abs(y - box.y / 2 - half[1]) - half[1], 0));
      if (off < least) { best = path; least = off; }
    });
    if (best && rowOf.has(best.dataset.key)) choose(rowOf.get(best.dataset.key), false);
  });
  view.addEventListener("wheel", event => {
    event.preventDefault();
    const [x, y] = place(event), factor = Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0015));
    const zoom = Math.min(Math.max(at.zoom * factor, fit()), most()), shift = at.zoom / zoom;
    look(x + (at.x - x) * shift, y + (at.y - y) * shift, zoom);
  }, {passive: false});
  view.addEventListener("dblclick", () => zoomBy(2));
  const whole = () => look(size[0] / 2, size[1] / 2, 0);
  view.addEventListener("keydown", event => {
    const act = {
      "+": () => zoomBy(1.5), "=": () => zoomBy(1.5), "-": () => zoomBy(1 / 1.5), "0": whole,
      ArrowLeft: () => move(-60, 0), ArrowRight: () => move(60, 0), ArrowUp: () => move(0, -60),
      ArrowDown: () => move(0, 60), PageUp: () => step(-1), PageDown: () => step(1),
    }[event.key];
    if (act) { act(); event.preventDefault(); }
  });
  get("previous").addEventListener("click", () => step(-1));
  get("next").addEventListener("click", () => step(1));
  get("in").addEventListener("click", () => zoomBy(1.5));
  get("out").addEventListener("click", () => zoomBy(1 / 1.5));
  get("whole").addEventListener("click", whole);
  get("native").addEventListener("click", () => look(at.x, at.y, 1 / devicePixelRatio));
  get("frame").addEventListener("input", event => { choose(null); open(stack()[event.target.value]); });
  const layers = {"with-pores": "no-pores", "with-dropped": "no-dropped", "with-field": "no-field"};
  Object.entries(layers).forEach(([id, name]) => {
    if (get(id)) get(id).addEventListener("change", event => view.classList.toggle(name, !event.target.checked));
  });
  get("with-numbers").addEventListener("change", crowd);
  if (get("with-vacancies")) get("with-vacancies").addEventListener("change", event =>
    view.classList.toggle("with-vacancies", event.target.checked));
  document.addEventListener("click", event => {
    const link = event.target.closest("[data-open]");
    if (!link) return;
    event.preventDefault();
    choose(null);
    open(cards.find(c => c.dataset.image === link.dataset.open));
    get("pores").scrollIntoView();
    view.focus({preventScroll: true});
  });
  new ResizeObserver(() => card && look(at.x, at.y, at.zoom)).observe(view);
  const named = rowOf.get(location.hash.slice(2));
  if (named) { choose(named); get("pores").scrollIntoView(); } else open(cards[0]);
})();
