// The rows of the queue, of which only those in sight exist. They stay where they are when a verdict
// changes them; a cluster opens into its parts in place.
"use strict";

window.explorer.queue = (() => {
  const { element, picture, ask, address, go, reveal, label, count } = window.explorer;
  const HEIGHT = 92;
  const BEYOND = 500;

  let shown = null; // run, crops_run, rows
  let rows = [];
  let ring = -1;
  let drawn = new Map();

  const box = () => document.getElementById("queue-rows");
  const key = (row) => [row.group ?? row.show, row.part ?? ""].join("/");
  const href = (row) => {
    const { group, part, show } = row;
    return address("/cluster", group === null ? { run: shown.run, show } : { run: shown.run, group, part });
  };
  const titled = (row) => row.title || (row.group.startsWith("s") ? row.group : `${Number(row.group)}`);

  const names = (row) => {
    const found = row.names.slice(0, 3).map(([name, number, origin]) => {
      const made = label(name, origin);
      if (number !== row.size) made.append(element("span", "name-count", number.toLocaleString("en")));
      return made;
    });
    if (row.names.length > 3) found.push(element("span", "name more", `+${row.names.length - 3}`));
    const cell = element("span", "names");
    if (!found.length && row.suggested.length) {
      const [name, number] = row.suggested[0];
      found.push(label(name, "machine"));
      found.push(element("span", "note", `suggested for ${number}`));
    }
    if (!found.length) found.push(element("span", "name none", row.open ? "unnamed" : "decided"));
    cell.append(...found);
    return cell;
  };

  const strip = (row) => {
    const cell = element("span", "strip");
    row.exemplars.forEach((crop) => {
      const image = element("img");
      image.alt = "";
      image.src = picture(shown.crops_run, crop, "crop", 160);
      cell.append(image);
    });
    return cell;
  };

  const number = (value, text) => element("span", "numbers", text ?? value.toLocaleString("en"));

  const doubt = (row) => {
    const cell = element("span", "doubt-cell");
    if (row.doubt === null || row.group === "-1") return cell;
    const bar = element("span", "doubt");
    const filled = element("span");
    filled.style.width = `${100 * row.doubt}%`;
    bar.append(filled);
    cell.append(bar, element("span", "note numbers", `${Math.round(100 * row.doubt)} %`));
    return cell;
  };

  const opener = (row) => {
    const cell = element("span", "opener");
    if (!row.opens) return cell;
    const sign = element("span", "unfold", row.open_parts ? "▾" : "▸");
    sign.title = "The parts that it falls into (→ opens, ← closes)";
    cell.append(sign);
    return cell;
  };

  const dress = (place) => {
    const row = rows[place];
    const made = drawn.get(place) || element("div", "queue-row");
    made.id = `row-${place}`;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", place === ring);
    made.dataset.place = place;
    made.dataset.key = key(row);
    made.style.top = `${place * HEIGHT}px`;
    made.classList.toggle("ring", place === ring);
    made.classList.toggle("aside", row.group === null || row.group === "-1");
    made.classList.toggle("part", row.part !== undefined);
    made.classList.toggle("done", row.open === 0);
    if (made.row === row) return made;
    made.row = row;
    const stable = row.stable === null || row.stable === undefined ? "" : row.stable.toFixed(2);
    const of = row.names.length ? `, ${row.names[0][0]}` : "";
    const parts = row.opens ? ", falls into parts: right arrow" : "";
    const said = `${titled(row)}, ${count(row.size, "crop")}, ${row.open} open${of}${parts}`;
    made.setAttribute("aria-label", said);
    const title = element("span", "cluster-number", titled(row));
    made.replaceChildren(
      opener(row), title, strip(row), names(row), number(row.size), number(row.open),
      number(row.bursts, row.bursts ? undefined : "–"), number(row.dives), number(0, stable), doubt(row),
    );
    return made;
  };

  const paint = () => {
    const at = box();
    if (!at || !shown) return;
    at.style.height = `${rows.length * HEIGHT}px`;
    const edge = at.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((-edge - BEYOND) / HEIGHT));
    const last = Math.min(rows.length, Math.ceil((window.innerHeight - edge + BEYOND) / HEIGHT));
    for (const [place, made] of drawn) {
      if (place >= first && place < last) continue;
      made.remove();
      drawn.delete(place);
    }
    for (let place = first; place < last; place += 1) {
      const made = dress(place);
      if (drawn.has(place)) continue;
      drawn.set(place, made);
      at.append(made);
    }
  };

  const move = (place) => {
    if (!rows.length) return;
    ring = Math.max(0, Math.min(place, rows.length - 1));
    box().setAttribute("aria-activedescendant", `row-${ring}`);
    reveal(box(), ring * HEIGHT, HEIGHT);
    paint();
  };

  // After a verdict the ring goes on to the next row that waits for one.
  const next = () => {
    const after = rows.findIndex((row, i) => i > ring && row.open && row.part === undefined);
    if (after >= 0) move(after);
  };

  const redraw = () => {
    drawn.forEach((made) => made.remove());
    drawn = new Map();
    paint();
  };

  const unfold = async (place, open) => {
    const row = rows[place];
    if (!row || !row.opens || Boolean(row.open_parts) === open) return;
    if (!open) rows.splice(place + 1, row.open_parts);
    const parts = open ? await ask(address("/data/parts", { run: shown.run, group: row.group })) : [];
    const now = rows.indexOf(row);
    rows.splice(now + 1, 0, ...parts);
    rows[now] = { ...row, open_parts: parts.length };
    redraw();
  };

  const draw = (given) => {
    if (!box() || !given) return null;
    const fresh = !shown || given.run !== shown.run || given.sort !== shown.sort;
    if (fresh || !box().childElementCount) {
      shown = given;
      rows = [...given.rows];
      ring = -1;
      redraw();
      return rows.length;
    }
    // The same queue after an event: what is known changes, the order stays; new groups come last.
    const now = new Map(given.rows.map((row) => [key(row), row]));
    rows = rows.filter((row) => row.part !== undefined || now.has(key(row))).map((row) => {
      const changed = now.get(key(row));
      now.delete(key(row));
      return changed ? { ...changed, open_parts: row.open_parts } : row;
    });
    rows.push(...now.values());
    shown = given;
    redraw();
    return rows.length;
  };

  document.addEventListener("click", (event) => {
    const made = event.target.closest(".queue-row[data-place]");
    if (!made) return;
    const place = Number(made.dataset.place);
    if (event.target.closest(".unfold")) {
      ring = place;
      unfold(place, !rows[place].open_parts);
    } else go(href(rows[place]));
  });
  document.addEventListener("scroll", () => requestAnimationFrame(paint), { capture: true, passive: true });
  window.addEventListener("resize", () => requestAnimationFrame(paint));

  window.dash_clientside.queue = { draw };

  return {
    move, next, unfold,
    get active() { return Boolean(box()); },
    get ring() { return ring; },
    get row() { return box() ? rows[ring] : undefined; },
    get run() { return shown && shown.run; },
    get crops_run() { return shown && shown.crops_run; },
    get beside() { return drawn.get(ring)?.children[3]; },
    open: () => rows.length && go(href(rows[Math.max(ring, 0)])),
  };
})();
