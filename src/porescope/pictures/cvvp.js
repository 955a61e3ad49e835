// The plot of a search on a canvas: points under the pointer, a recipe on a click, pictures that open large.
(() => {
  "use strict";
  const d = JSON.parse(document.getElementById("data").textContent);
  const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const words = text => new Uint16Array(bytes(text).buffer);
  const x = words(d.x), y = words(d.y), values = words(d.values), at = bytes(d.at), over = words(d.over);
  const n = x.length, shown = d.images.length;
  const step = [...x.keys()].map(i => d.axes.map((name, k) => d.steps[k][at[k * n + i]]));
  const value = (i, k) => d.low + (d.high - d.low) * values[k * n + i] / 65535;
  // A name written from right to left must not turn the numbers beside it around.
  const isolate = text => "\u2068" + text + "\u2069";
  const canvas = document.getElementById("plot"), pen = canvas.getContext("2d"), tip = document.getElementById("tip");
  const right = Math.max(...d.frames.map(f => f[0] + f[2])), top = Math.max(...d.frames.map(f => f[1] + f[3]));
  const edge = {left: 64, right: 34, top: 26, bottom: 44};
  let unit = 10, chosen = d.chosen, under = -1;
  const px = v => edge.left + (v + 0.75) * unit, py = v => edge.top + (top - v) * unit;

  function dot(cx, cy, r) { pen.beginPath(); pen.arc(cx, cy, r, 0, 7); pen.fill(); }

  // Labels that would run into the one before are left out.
  function write(labels, place, size, draw) {
    let end = -Infinity;
    for (const [position, text] of labels) {
      const middle = place(position), half = size(text) / 2 + 4;
      if (middle - half < end) continue;
      draw(text, middle);
      end = middle + half;
    }
  }

  function paint() {
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    unit = Math.min((width - edge.left - edge.right) / (right + 0.75), 1000 / (top + 0.75));
    const height = edge.top + edge.bottom + (top + 0.75) * unit;
    canvas.style.height = height + "px";
    canvas.width = width * ratio; canvas.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    for (const [l, b, w, h] of d.frames) {
      pen.fillStyle = "#f4f5f7"; pen.strokeStyle = "#c3c9d1";
      pen.fillRect(px(l), py(b + h), w * unit, h * unit); pen.strokeRect(px(l), py(b + h), w * unit, h * unit);
    }
    pen.fillStyle = "#b5bcc6";
    for (let i = 0; i < n; i++) dot(px(x[i]), py(y[i]), Math.max(0.07 * unit, 0.7));
    const series = d.series.length, radius = series > 1 ? 0.25 : 0;
    for (let k = 0; k < series; k++) {
      const angle = 2 * Math.PI * k / series + Math.PI / 2;
      const dx = radius * Math.cos(angle), dy = radius * Math.sin(angle);
      pen.fillStyle = d.series[k].color;
      for (let i = 0; i < n; i++) if (over[i] >> k & 1) dot(px(x[i] + dx), py(y[i] + dy), Math.max(0.18 * unit, 1.2));
    }
    if (!series) for (let i = 0; i < n; i++) if (over[i]) {  // many images: the more succeed, the darker
      pen.fillStyle = `hsl(205 85% ${88 - 60 * over[i] / d.count}%)`;
      dot(px(x[i]), py(y[i]), Math.max(0.3 * unit, 1.5));
    }
    pen.strokeStyle = "#1b2430"; pen.lineWidth = 1.4;
    const full = series ? 2 ** series - 1 : d.count;
    for (let i = 0; i < n; i++) if (over[i] === full) { pen.beginPath(); pen.arc(px(x[i]), py(y[i]), 0.5 * unit, 0, 7); pen.stroke(); }
    square(d.chosen, "#D55E00", 0.62); if (chosen !== d.chosen) square(chosen, "#1b2430", 0.62);
    label();
  }

  function square(i, color, half) {
    pen.strokeStyle = color; pen.lineWidth = 2;
    pen.strokeRect(px(x[i] - half), py(y[i] + half), 2 * half * unit, 2 * half * unit);
  }

  function label() {
    pen.fillStyle = "#1b2430";
    const across = text => pen.measureText(text).width, down = () => 12;
    pen.textAlign = "center"; pen.textBaseline = "bottom";
    write(d.outer[0], px, across, (text, p) => pen.fillText(text, p, py(top) - 6));
    pen.textBaseline = "top";
    write(d.inner[0], px, across, (text, p) => pen.fillText(text, p, py(-0.75) + 4));
    pen.textAlign = "right"; pen.textBaseline = "middle";
    write([...d.inner[1]].reverse(), py, down, (text, p) => pen.fillText(text, px(-0.75) - 5, p));
    pen.textAlign = "left"; pen.textBaseline = "top";
    if (d.names[0]) pen.fillText(d.names[0] + " in each panel", px(-0.75), py(-0.75) + 22);
    turn(12, py(-0.75), -Math.PI / 2, d.names[1] ? d.names[1] + " in each panel" : "", "left");
    write([...d.outer[1]].reverse(), py, across, (text, p) => turn(px(right) + 14, p, Math.PI / 2, text, "center"));
  }

  function turn(cx, cy, angle, text, align) {
    pen.save(); pen.translate(cx, cy); pen.rotate(angle);
    pen.textAlign = align; pen.textBaseline = "middle"; pen.fillText(text, 0, 0); pen.restore();
  }

  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const u = (event.clientX - box.left - edge.left) / unit - 0.75, v = top - (event.clientY - box.top - edge.top) / unit;
    let best = -1, least = 0.75 ** 2;
    for (let i = 0; i < n; i++) {
      const far = (x[i] - u) ** 2 + (y[i] - v) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }

  function lines(i) {
    const more = d.count > shown ? [`… and ${d.count - shown} more images`] : [];
    return [d.axes.map((name, k) => `${name} ${step[i][k]}`).join(", "),
      ...d.images.map((name, k) => `${isolate(name)}: ${value(i, k).toFixed(3)}`), ...more];
  }

  function point(event) {
    under = nearest(event);
    canvas.style.cursor = under < 0 ? "default" : "pointer";
    tip.hidden = under < 0;
    if (under < 0) return;
    tip.textContent = lines(under).join("\n");
    tip.style.left = Math.min(px(x[under]) + 14, canvas.clientWidth - tip.offsetWidth - 4) + "px";
    tip.style.top = py(y[under]) + 14 + "px";
  }

  function choose(i) {
    chosen = i; paint();
    const recipe = {...d.recipe, ...Object.fromEntries(d.axes.map((name, k) => [name, step[i][k]]))};
    const toml = Object.entries(recipe).map(([name, v]) => `${name} = ${JSON.stringify(v)}`);
    document.getElementById("recipe").textContent = ["# Save this as point.toml:", ...toml].join("\n");
    document.getElementById("values").textContent = lines(i).join("\n");
  }

  canvas.addEventListener("mousemove", point);
  canvas.addEventListener("mouseleave", () => { tip.hidden = true; });
  canvas.addEventListener("click", event => { const i = nearest(event); if (i >= 0) choose(i); });
  canvas.addEventListener("keydown", event => {
    const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    if (!way) return;
    event.preventDefault();
    let best = chosen, least = Infinity;
    for (let i = 0; i < n; i++) {
      const u = x[i] - x[chosen], v = y[i] - y[chosen], along = u * way[0] + v * way[1], aside = Math.abs(u * way[1]) + Math.abs(v * way[0]);
      if (along > 0 && along + 3 * aside < least) { least = along + 3 * aside; best = i; }
    }
    choose(best);
  });
  document.querySelectorAll("[data-point]").forEach(button => button.addEventListener("click", () => {
    choose(+button.dataset.point);
    document.getElementById("recipe").scrollIntoView({block: "center"});
  }));

  document.querySelectorAll("[data-copy]").forEach(button => button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text); } catch {  // pages from a disk may not use it
      const area = document.createElement("textarea");
      area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
    }
    const name = button.textContent;
    button.textContent = "Copied"; setTimeout(() => { button.textContent = name; }, 1500);
  }));

  const dialog = document.getElementById("large");
  document.querySelectorAll("button.thumb").forEach(button => button.addEventListener("click", () => {
    dialog.querySelector("div").replaceChildren(button.querySelector("svg").cloneNode(true));
    dialog.querySelector("p").textContent = button.dataset.caption;
    dialog.showModal();
  }));
  dialog.addEventListener("click", event => { if (event.target === dialog || event.target.tagName === "BUTTON") dialog.close(); });
  window.addEventListener("resize", paint);
  choose(d.chosen);
})();
