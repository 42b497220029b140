// The gallery of crops. Only the tiles in sight exist, so that 50,000 scroll; what is known of each
// is asked for by id, so that a verdict changes badges and moves nothing.
"use strict";

window.explorer.gallery = (() => {
  const { element, picture, ask, reveal, label } = window.explorer;
  const GAP = 8;
  const BEYOND = 400; // pixels above and below what is in sight that are drawn too
  const ASKED = 300; // crops of one question, at most

  let listing = null;
  let crops = []; // their ids, in order
  let view = "crop";
  let columns = 1;
  let side = 1;
  let height = 1;
  let ring = -1; // the tile that the arrow keys move
  let anchor = 0; // where a range of selected tiles starts
  let everything = false; // all that match are selected, those that are not listed too
  let selected = new Set();
  let tiles = new Map(); // by place
  let known = new Map(); // what is known of each crop
  let asking = null;

  const box = () => document.getElementById("gallery");
  const top = (place) => Math.floor(place / columns) * (height + GAP);

  const measure = () => {
    const at = box();
    const wide = view === "frame";
    const least = Number(at.dataset.least || 132) * (wide ? 1.75 : 1);
    const width = at.clientWidth || 1;
    columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    side = (width - GAP * (columns - 1)) / columns;
    height = wide ? (side * 9) / 16 : side;
    at.style.height = `${Math.ceil(crops.length / columns) * (height + GAP)}px`;
    at.classList.toggle("wide", wide);
  };

  const make = (place) => {
    const tile = element("div", "tile");
    const image = element("img");
    image.decoding = "async";
    tile.append(image, element("span", "marks"), element("span", "tick"), element("span", "caption"));
    tile.id = `tile-${place}`;
    tile.dataset.place = place;
    tile.setAttribute("role", "option");
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", crops.length);
    return tile;
  };

  const said = (at) => {
    if (!at) return "crop";
    const words = [at.where, at.label || (at.suggested ? `suggested ${at.suggested[0]}` : "no name")];
    if (at.validated) words.push("approved");
    words.push(at.group === "-1" ? "noise" : `cluster ${at.group}, probability ${at.probability}`);
    if (at.exemplar) words.push("exemplar");
    if (at.second) words.push(`second look: ${at.second}`);
    if (at.flags) words.push(`frame is ${at.flags}`);
    return words.join(" · ");
  };

  const badges = (at) => {
    const found = [];
    if (at.label) found.push(label(at.label, at.origin));
    else if (at.suggested) found.push(label(`${at.suggested[0]} ${Math.round(100 * at.suggested[1])} %`, "machine"));
    return found;
  };

  const marks = (at) => {
    const found = [];
    if (at.exemplar) found.push(element("span", "exemplar"));
    if (at.validated) found.push(element("span", "approved", "✓"));
    if (at.second) found.push(element("span", "second", "⚑"));
    if (at.flags) found.push(element("span", "poor", "◐"));
    return found;
  };

  const dress = (place, tile) => {
    const crop = crops[place];
    const at = known.get(crop);
    const source = picture(listing.crops_run, crop, view, view === "frame" ? 360 : 240);
    const image = tile.firstChild;
    if (image.getAttribute("src") !== source) image.src = source;
    const row = Math.floor(place / columns);
    tile.style.cssText = `width:${side}px;height:${height}px;left:${(place % columns) * (side + GAP)}px;top:${row * (height + GAP)}px`;
    const on = everything || selected.has(crop);
    tile.classList.toggle("on", on);
    tile.classList.toggle("ring", place === ring);
    tile.classList.toggle("rejected", Boolean(at && at.label === "rejected"));
    tile.setAttribute("aria-selected", on);
    tile.title = image.alt = said(at);
    if (!at) return;
    tile.querySelector(".caption").replaceChildren(...badges(at));
    tile.querySelector(".marks").replaceChildren(...marks(at));
  };

  const inSight = () => {
    const edge = box().getBoundingClientRect().top;
    const rows = height + GAP;
    const first = Math.max(0, Math.floor((-edge - BEYOND) / rows)) * columns;
    const last = Math.max(0, Math.ceil((window.innerHeight - edge + BEYOND) / rows)) * columns;
    return [Math.min(first, crops.length), Math.min(last, crops.length)];
  };

  const paint = () => {
    if (!box() || !listing) return;
    const [first, last] = inSight();
    for (const [place, tile] of tiles) {
      if (place >= first && place < last) continue;
      tile.remove();
      tiles.delete(place);
    }
    const fresh = [];
    for (let place = first; place < last; place += 1) {
      let tile = tiles.get(place);
      if (!tile) {
        tile = make(place);
        tiles.set(place, tile);
        fresh.push(tile);
      }
      dress(place, tile);
    }
    box().append(...fresh);
    learn();
  };

  // Ask for what is not known yet of the crops that are drawn.
  const learn = () => {
    if (asking) return;
    const missing = [...tiles.keys()].map((place) => crops[place]).filter((crop) => !known.has(crop));
    if (!missing.length) return;
    const { run } = listing;
    const wanted = missing.slice(0, ASKED);
    asking = ask("/data/crops", { run, crops: wanted }).then((found) => {
      asking = null;
      if (!listing || listing.run !== run) return;
      wanted.forEach((crop) => known.set(crop, found[crop] || null));
      paint();
    }, () => (asking = null));
  };

  // After an event: what is drawn is asked for again, the rest when it comes into sight.
  const refresh = async () => {
    if (!listing || !box()) return;
    const { run } = listing;
    const wanted = [...tiles.keys()].map((place) => crops[place]).slice(0, 600);
    const found = wanted.length ? await ask("/data/crops", { run, crops: wanted }) : {};
    if (!listing || listing.run !== run) return;
    known = new Map(Object.entries(found));
    paint();
  };

  const tell = () => {
    const at = document.getElementById("selected");
    const chosen = everything ? listing.count : selected.size;
    if (at) at.textContent = chosen ? `${chosen.toLocaleString("en")} selected` : "";
    paint();
  };

  const select = (chosen) => {
    everything = false;
    selected = new Set(chosen);
    tell();
  };

  const all = () => {
    selected = new Set(crops);
    everything = listing.count > 0;
    tell();
  };

  const toggle = (place, extend) => {
    const chosen = new Set(selected);
    everything = false;
    if (extend) {
      const [low, high] = place < anchor ? [place, anchor] : [anchor, place];
      crops.slice(low, high + 1).forEach((crop) => chosen.add(crop));
    } else {
      if (!chosen.delete(crops[place])) chosen.add(crops[place]);
      anchor = place;
    }
    select(chosen);
  };

  const move = (place) => {
    if (!crops.length) return;
    ring = Math.max(0, Math.min(place, crops.length - 1));
    box().setAttribute("aria-activedescendant", `tile-${ring}`);
    reveal(box(), top(ring), height);
    paint();
  };

  // After a verdict on selected crops the ring goes on to the next that is not selected.
  const advance = () => {
    const last = Math.max(-1, ...[...selected].map((crop) => crops.indexOf(crop)));
    select([]);
    if (last >= 0) move(last + 1);
  };

  const draw = (shown, newView) => {
    if (!box() || !shown) return null;
    if (shown !== listing || box().childElementCount === 0) {
      listing = shown;
      crops = shown.ids ? shown.ids.split(" ") : [];
      known = new Map();
      tiles.forEach((tile) => tile.remove());
      tiles = new Map();
      ring = -1;
      anchor = 0;
      view = newView || view;
      measure();
      select([]);
    } else if (newView && newView !== view) {
      const at = ring < 0 ? inSight()[0] : ring;
      view = newView;
      measure();
      if (ring >= 0) reveal(box(), top(at), height);
      paint();
    }
    return crops.length;
  };

  document.addEventListener("click", (event) => {
    const tile = event.target.closest(".gallery .tile");
    if (!tile) return;
    ring = Number(tile.dataset.place);
    toggle(ring, event.shiftKey);
  });
  document.addEventListener("dblclick", (event) => {
    if (event.target.closest(".gallery .tile")) window.explorer.act("open");
  });
  document.addEventListener("mousedown", (event) => {
    // A range is no selection of text.
    if (event.shiftKey && event.target.closest(".tile")) event.preventDefault();
  });
  let painting = 0;
  const soon = () => {
    cancelAnimationFrame(painting);
    painting = requestAnimationFrame(paint);
  };
  document.addEventListener("scroll", soon, { capture: true, passive: true });
  window.addEventListener("resize", () => {
    if (!box() || !listing) return;
    measure();
    soon();
  });

  window.dash_clientside.gallery = {
    draw(shown, newView) {
      return draw(shown, newView);
    },
    refresh(_event) {
      refresh();
    },
  };

  return {
    select, all, toggle, move, advance, refresh,
    get listing() { return box() ? listing : null; },
    get selected() { return selected; },
    get everything() { return everything; },
    get columns() { return columns; },
    get ring() { return ring; },
    get crop() { return crops[ring]; },
    know: (crop) => known.get(crop),
  };
})();
