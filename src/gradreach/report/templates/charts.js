(() => {
"use strict";
const NUMBER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });
const KEYS = "Left and right arrows move the cursor, with shift ten points at a time, home and end to the ends; "
  + "plus and minus zoom, escape shows all.";
const WORD = 14;
const NAMED = 44;
const NEAR = 8;
const STRIP = 4;
const groups = new Map();

// The same numbers as in the text: three significant digits, exponents from 1e6 and under 1e-3.
const figure = (value) => {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 6 || size < -3) {
    const [mantissa, exponent] = value.toExponential(2).split("e");
    return `${String(Number(mantissa))}e${Number(exponent)}`;
  }
  return String(Number(value.toFixed(Math.max(2 - size, 0))));
};

const ticks = (low, high, log, most) => {
  const found = [];
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9);
    const last = Math.floor(Math.log10(high) + 1e-9);
    const stride = Math.max(1, Math.ceil((last - first + 1) / most));
    for (let power = first; power <= last; power += 1) if (power % stride === 0) found.push(10 ** power);
    if (found.length > 1) return found;
    found.length = 0;
  }
  const raw = (high - low) / most;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * size).find((m) => m >= raw * (1 - 1e-9));
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i += 1) found.push(i * step || 0);
  return found;
};

const element = (tag, parent, name = "", words = "") => {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (words) made.textContent = words;
  parent.append(made);
  return made;
};

// Colours, widths and dashes by class, as the style sheet gives them to the drawing.
const inks = (stage) => {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "key probe");
  svg.setAttribute("aria-hidden", "true");
  stage.append(svg);
  let known = new Map();
  const ink = (name, tag = "path") => {
    if (known.has(name)) return known.get(name);
    const probe = document.createElementNS(space, tag);
    probe.setAttribute("class", name);
    svg.append(probe);
    const style = getComputedStyle(probe);
    const found = {
      stroke: style.stroke === "none" ? "" : style.stroke,
      fill: style.fill === "none" ? "" : style.fill,
      dash: style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[\s,]+/).map(parseFloat),
      width: parseFloat(style.strokeWidth) || 1,
      fade: parseFloat(style.fillOpacity),
      opacity: parseFloat(style.opacity),
      font: `${style.fontSize} ${style.fontFamily}`,
    };
    probe.remove();
    known.set(name, found);
    return found;
  };
  ink.forget = () => { known = new Map(); };
  return ink;
};

class Chart {
  constructor(stage) {
    this.stage = stage;
    this.told = JSON.parse(stage.querySelector("script").textContent);
    this.lines = this.told.tables.flatMap((table) => table.lines);
    const tables = this.told.tables.map((table) => [table.x, ...table.lines.map((line) => line.y)]);
    this.data = tables.length > 1 ? uPlot.join(tables) : tables[0];
    const name = this.told.group || Symbol("alone");
    if (!groups.has(name)) groups.set(name, { window: null, charts: [] });
    this.group = groups.get(name);
    this.group.charts.push(this);
  }

  get span() { return this.group.window || this.told.span; }

  build(width) {
    const { stage, told } = this;
    this.ink = inks(stage);
    this.plot = element("div", stage, "plot");
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "application");
    this.plot.setAttribute("aria-roledescription", "chart");
    this.plot.setAttribute("aria-label", `${told.title}. ${KEYS}`);
    const below = element("div", stage, "below");
    this.readout = element("p", below, "readout");
    this.readout.setAttribute("aria-live", "polite");
    for (const [sign, name, factor] of [["−", "Zoom out", 2], ["+", "Zoom in", 0.5]]) {
      const button = this.button(below, sign, () => this.scale(factor));
      button.classList.add("step");
      button.setAttribute("aria-label", name);
      button.tabIndex = -1;
    }
    this.all = this.button(below, "Show all", () => { this.show(null); this.plot.focus({ preventScroll: true }); });
    this.all.hidden = !this.group.window;
    this.u = new uPlot(this.options(width), this.data, this.plot);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("blur", () => this.point(null));
    this.say(null);
    stage.classList.add("live");
  }

  button(parent, words, act) {
    const made = element("button", parent, "", words);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  height(width) { return this.told.head + (width < 600 ? Math.min(this.told.height, 250) : this.told.height); }

  // A place of the x axis: its name where it has one.
  place(value) { return this.told.names[value] ?? NUMBER.format(value); }

  options(width) {
    const { told } = this;
    const soft = () => this.ink("", "text").fill;
    const font = this.ink("", "text").font;
    const axis = (words, more) => ({
      stroke: soft, font, label: words, labelFont: font, labelSize: 18, labelGap: 0, gap: 4,
      filter: (_, splits) => splits, ...more,
    });
    const rule = { stroke: () => this.ink("grid").stroke, width: 1 };
    return {
      width,
      height: this.height(width),
      padding: [12 + told.head, told.names.length ? NAMED : 12, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => this.span },
        y: { distr: told.log ? 3 : 1, range: (_, low, high) => this.range(low, high) },
      },
      axes: [
        axis(told.x, {
          size: 22,
          grid: { show: false },
          ticks: { ...rule, size: 4 },
          border: { show: true, stroke: soft, width: 1 },
          splits: (u, _, low, high) => ticks(low, high, false, Math.max(3, Math.floor(u.width / 90))),
          values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? this.place(value) : "")),
        }),
        axis(told.y, {
          size: 44,
          grid: { ...rule, filter: (u, splits) => splits.map((at) => (at > u.scales.y.min ? at : null)) },
          ticks: { show: false },
          splits: (_, __, low, high) => ticks(low, high, told.log, 5),
          values: (_, splits) => splits.map(figure),
        }),
      ],
      series: [{}, ...this.lines.map((line) => this.series(line))],
      cursor: {
        y: false,
        drag: { x: true, y: false, setScale: false, dist: 4 },
        points: { size: 7, width: 0, fill: (_, i) => this.ink(this.lines[i - 1].style).stroke },
        dataIdx: (_, i, hovered) => (i === 0 ? hovered : this.nearest(i, hovered)),
        bind: { dblclick: () => () => { this.show(null); return null; } },
      },
      hooks: {
        drawAxes: [() => this.under()],
        draw: [() => this.over()],
        setSelect: [(u) => this.select(u.select)],
        setCursor: [(u) => { if (!this.led) this.lead(u); }],
      },
    };
  }

  series(line) {
    const ink = this.ink(line.style);
    const stroke = () => this.ink(line.style).stroke;
    const dots = { show: line.dots, size: 5, width: 0, fill: stroke, stroke, space: 0 };
    const solid = { size: 5, width: 0, fill: stroke, stroke, space: 16 };
    return {
      label: line.name,
      stroke,
      width: ink.width,
      pxAlign: 0,
      dash: ink.dash,
      alpha: ink.opacity,
      points: line.dots ? dots : solid,
      ...(line.dots ? { paths: () => null } : {}),
    };
  }

  // What is drawn of y: all of it, or where zoomed in what lies in the window.
  range(low, high) {
    const { told } = this;
    if (!this.group.window || low === null || low === undefined) return told.range;
    if (told.log) {
      const bottom = 10 ** Math.floor(Math.log10(Math.max(low, told.floor, Number.MIN_VALUE)) + 1e-9);
      const top = 10 ** Math.ceil(Math.log10(Math.max(high, bottom)) - 1e-9);
      return [bottom, top > bottom ? top : bottom * 10];
    }
    const air = high > low ? 0.05 * (high - low) : 0.5 * (Math.abs(high) || 1);
    return [low - air, high + air];
  }

  // The place nearest to `from` at which this line has a point of its own; lines may lie over different places.
  nearest(series, from) {
    const values = this.data[series];
    if (from === null || from === undefined || values[from] !== undefined) return from;
    let left = from;
    let right = from;
    while (left >= 0 && values[left] === undefined) left -= 1;
    while (right < values.length && values[right] === undefined) right += 1;
    if (left < 0) return right < values.length ? right : null;
    if (right >= values.length) return left;
    return this.data[0][from] - this.data[0][left] <= this.data[0][right] - this.data[0][from] ? left : right;
  }

  context(draw) {
    const { ctx, bbox } = this.u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox, uPlot.pxRatio, (value) => this.u.valToPos(value, "x", true));
    ctx.restore();
  }

  pen(ctx, ink, ratio) {
    ctx.strokeStyle = ink.stroke;
    ctx.fillStyle = ink.fill;
    ctx.lineWidth = ink.width * ratio;
    ctx.setLineDash(ink.dash.map((length) => length * ratio));
  }

  // Bands and rules, under the lines.
  under() {
    this.context((ctx, box, ratio, at) => {
      for (const mark of this.told.marks) {
        const ink = this.ink(mark.style);
        this.pen(ctx, ink, ratio);
        if (mark.x !== undefined && mark.y === undefined) {
          const left = at(mark.x);
          const wide = at(mark.until ?? mark.x) - left;
          if (wide >= ratio && ink.fill) {
            ctx.globalAlpha = ink.fade;
            ctx.fillRect(left, box.top, wide, box.height);
            ctx.globalAlpha = 1;
            if (ink.stroke) ctx.strokeRect(left, box.top - ratio, wide, box.height + 2 * ratio);
          } else this.rule(ctx, left, box.top, left, box.top + box.height);
        } else if (mark.x === undefined && mark.y !== undefined) {
          const level = this.u.valToPos(mark.y, "y", true);
          this.rule(ctx, box.left, level, box.left + box.width, level);
        }
      }
    });
  }

  rule(ctx, x0, y0, x1, y1) {
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
  }

  // Triangles and the strips along the bottom, over the lines; words above the plot.
  over() {
    this.context((ctx, box, ratio, at) => {
      for (const strip of this.told.strips) {
        const ink = this.ink(strip.style);
        this.pen(ctx, ink, ratio);
        ctx.globalAlpha = ink.fade;
        for (const [first, last] of strip.stretches) {
          const left = at(first);
          ctx.fillRect(left, box.top + box.height - STRIP * ratio, Math.max(at(last) - left, ratio), STRIP * ratio);
        }
        ctx.globalAlpha = 1;
      }
      for (const mark of this.told.marks) {
        if (mark.x !== undefined && mark.y !== undefined) this.triangle(ctx, mark, ratio, at(mark.x), box);
      }
    });
    const { ctx, bbox } = this.u;
    ctx.save();
    for (const mark of this.told.marks) if (mark.word && mark.x !== undefined) this.word(ctx, mark, uPlot.pxRatio, bbox);
    ctx.restore();
  }

  triangle(ctx, mark, ratio, left, box) {
    this.pen(ctx, this.ink(mark.style), ratio);
    const tip = Math.max(this.u.valToPos(mark.y, "y", true) - 4 * ratio, box.top + 10 * ratio);
    ctx.beginPath();
    ctx.moveTo(left, tip);
    ctx.lineTo(left + 5 * ratio, tip - 9 * ratio);
    ctx.lineTo(left - 5 * ratio, tip - 9 * ratio);
    ctx.fill();
  }

  word(ctx, mark, ratio, box) {
    const place = this.u.valToPos(mark.x, "x", true);
    if (place < box.left || place > box.left + box.width) return;
    const ink = this.ink("label", "text");
    const row = box.top - (this.told.head - WORD * mark.row) * ratio;
    if (mark.until === undefined) {
      this.pen(ctx, this.ink(mark.style), ratio);
      this.rule(ctx, place, row - 10 * ratio, place, box.top);
    }
    ctx.font = ink.font.replace(/^[\d.]+/, (size) => size * ratio);
    const right = place + 5 * ratio + ctx.measureText(mark.word).width <= box.left + box.width;
    ctx.textAlign = right ? "left" : "right";
    ctx.textBaseline = "alphabetic";
    ctx.fillStyle = ink.fill;
    ctx.fillText(mark.word, place + (right ? 5 : -5) * ratio, row);
  }

  select(area) {
    if (area.width < 4) return;
    const low = this.u.posToVal(area.left, "x");
    const high = this.u.posToVal(area.left + area.width, "x");
    this.u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.show([low, high]);
  }

  // Every chart of the group shows the same window; null is all there is.
  show(window) {
    const [first, last] = this.told.span;
    let next = null;
    if (window) {
      const least = Math.min(1, (last - first) / 4);
      const low = Math.max(window[0], first);
      const high = Math.min(window[1], last);
      if (high - low < least) return;
      if (low > first || high < last) next = [low, high];
    }
    this.group.window = next;
    for (const chart of this.group.charts) {
      if (!chart.u) continue;
      chart.all.hidden = !next;
      chart.u.setScale("x", { min: chart.span[0], max: chart.span[1] });
    }
  }

  scale(factor) {
    const [low, high] = this.span;
    const held = this.u.cursor.idx;
    const middle = held === null || held === undefined ? (low + high) / 2 : this.data[0][held];
    this.show([middle - (middle - low) * factor, middle + (high - middle) * factor]);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (move) this.walk(move * (event.shiftKey ? 10 : 1));
    else if (event.key === "Home") this.walk(-Infinity);
    else if (event.key === "End") this.walk(Infinity);
    else if (event.key === "+" || event.key === "=") this.scale(0.5);
    else if (event.key === "-" || event.key === "_") this.scale(2);
    else if (event.key === "Escape") { this.point(null); this.show(null); }
    else return;
    event.preventDefault();
  }

  // Moves the cursor over the points that are in view.
  walk(by) {
    const [places] = this.data;
    const [low, high] = this.span;
    const first = places.findIndex((place) => place >= low);
    let last = places.length - 1;
    while (last > 0 && places[last] > high) last -= 1;
    if (first < 0 || last < first) return;
    const held = this.u.cursor.idx;
    const from = held === null || held === undefined ? (by > 0 ? first - 1 : last + 1) : held;
    this.point(places[Math.min(Math.max(from + by, first), last)]);
  }

  // Puts the cursor of every chart of the group at a place of the x axis, or away.
  point(place) {
    for (const chart of this.group.charts) if (chart.u) chart.follow(place);
  }

  lead(u) {
    const place = u.cursor.left >= 0 && u.cursor.idx !== null ? this.data[0][u.cursor.idx] : null;
    const others = this.group.charts.filter((chart) => chart.u && chart !== this);
    // A pointer that leaves, as when the page scrolls under it, takes no cursor from a chart that the keys steer.
    if (place === null && others.some((chart) => chart.plot === document.activeElement)) return;
    others.forEach((chart) => chart.follow(place));
    this.say(place);
  }

  follow(place) {
    const inside = place !== null && place >= this.span[0] && place <= this.span[1];
    this.led = true;
    this.u.setCursor(inside ? { left: this.u.valToPos(place, "x"), top: 0 } : { left: -10, top: -10 });
    this.led = false;
    this.say(inside ? this.data[0][this.u.cursor.idx] : null);
  }

  say(place) {
    const parts = [];
    if (place === null || place === undefined) {
      const hint = document.createElement("span");
      hint.className = "hint";
      hint.textContent = matchMedia("(hover: none)").matches ? "Tap for values, + to zoom in" : "Drag to zoom in, double click to show all";
      parts.push(hint);
    } else {
      const name = this.told.x.split(/[ ,]/)[0];
      parts.push(this.part(name, this.place(place)));
      this.lines.forEach((line, i) => {
        const there = this.u.cursor.idxs[i + 1];
        if (there === null || there === undefined) return;
        const elsewhere = this.data[0][there] === place ? "" : ` at ${this.place(this.data[0][there])}`;
        parts.push(this.part(line.name, figure(this.data[i + 1][there]) + elsewhere));
      });
      for (const words of this.marked(place)) parts.push(this.part("", words));
    }
    this.readout.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  part(name, value) {
    const made = document.createElement("span");
    if (name) made.append(`${name} `);
    const strong = document.createElement("b");
    strong.textContent = value;
    made.append(strong);
    return made;
  }

  // The names of the marks at a place, or so near that a pointer cannot part them.
  marked(place) {
    const near = (this.u.posToVal(NEAR, "x") - this.u.posToVal(0, "x")) / 2;
    const marks = this.told.marks.filter((mark) => mark.x !== undefined
      && place >= mark.x - near && place <= (mark.until ?? mark.x) + near).map((mark) => mark.name);
    const strips = this.told.strips.filter((strip) => strip.stretches.some(
      ([first, last]) => place >= first && place <= last)).map((strip) => strip.name);
    return [...strips, ...marks].slice(0, 3);
  }

  fit(width) {
    if (!this.u) this.build(width);
    else if (this.u.width !== width) this.u.setSize({ width, height: this.height(width) });
  }

  repaint() {
    if (!this.u) return;
    this.ink.forget();
    this.u.redraw(false, true);
  }
}

const charts = new Map();
document.querySelectorAll(".stage").forEach((stage) => charts.set(stage, new Chart(stage)));
const fit = (stage) => {
  const width = Math.floor(stage.getBoundingClientRect().width);
  if (width > 80) charts.get(stage).fit(width);
};
const sizes = new ResizeObserver((seen) => requestAnimationFrame(() => seen.forEach((entry) => fit(entry.target))));
charts.forEach((_, stage) => sizes.observe(stage));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.repaint()));
})();
