// The gallery of crops, drawn here so that selecting, switching the view and naming move nothing.
// Text goes in through textContent only: a name may hold anything.
"use strict";

window.dash_clientside = window.dash_clientside || {};

window.explorer = {
  // where we are, what a lasso holds, what a filter leaves of the cluster, known names
  page: { place: null, shape: null, left: {}, names: [] },
  tiles: [],
  selected: new Set(),
  ring: -1, // the tile or row that the arrow keys move
  anchor: 0, // where a range of selected tiles starts
};

window.dash_clientside.gallery = (() => {
  const explorer = window.explorer;
  let drawn = null;

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const picture = (run, crop, kind, size) => {
    const query = new URLSearchParams({ kind, size, run });
    return `/image/${encodeURIComponent(crop)}?${query}`;
  };

  const enter = (place) => {
    if (JSON.stringify(place) === JSON.stringify(explorer.page.place)) return;
    explorer.page.place = place;
    explorer.page.shape = null;
  };

  const tile = (item) => {
    const made = element("figure", item.exemplar ? "tile exemplar" : "tile");
    made.dataset.id = item.id;
    const belongs = item.cluster < 0 ? "noise" : `probability ${item.probability}`;
    const flags = item.flags ? ` · frame is ${item.flags}` : "";
    made.title = `${item.caption} · ${belongs}${item.exemplar ? " · exemplar" : ""}${flags}`;
    const image = element("img", "");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = item.caption;
    made.append(image, element("figcaption", ""), element("span", "tick"));
    if (item.flags) made.append(element("span", "flag", "\u2691"));
    return made;
  };

  const showNames = (names) => {
    for (const made of explorer.tiles) {
      const [name, origin] = names[made.dataset.id] || [];
      const badge = name === undefined ? [] : [element("span", `name ${origin}`, name)];
      made.querySelector("figcaption").replaceChildren(...badge);
    }
  };

  const showView = (box, run, kind) => {
    box.classList.toggle("wide", kind === "frame");
    for (const made of explorer.tiles) {
      const source = picture(run, made.dataset.id, kind, kind === "frame" ? 360 : 240);
      const image = made.firstChild;
      if (image.getAttribute("src") !== source) image.src = source;
    }
  };

  const select = (crops) => {
    explorer.selected = new Set(crops);
    for (const made of explorer.tiles) {
      made.classList.toggle("on", explorer.selected.has(made.dataset.id));
    }
    const count = explorer.selected.size;
    const label = document.getElementById("selected");
    if (label) label.textContent = count ? `${count} selected` : "";
  };

  const range = (from, to) => {
    const [low, high] = from < to ? [from, to] : [to, from];
    return explorer.tiles.slice(low, high + 1).map((made) => made.dataset.id);
  };

  const toggle = (index, extend) => {
    const crop = explorer.tiles[index].dataset.id;
    const selected = new Set(explorer.selected);
    if (extend) range(explorer.anchor, index).forEach((id) => selected.add(id));
    else if (!selected.delete(crop)) selected.add(crop);
    if (!extend) explorer.anchor = index;
    select(selected);
  };

  document.addEventListener("click", (event) => {
    const made = event.target.closest(".tile");
    if (!made) return;
    const index = explorer.tiles.indexOf(made);
    explorer.ring = index;
    explorer.tiles.forEach((other) => other.classList.toggle("ring", other === made));
    toggle(index, event.shiftKey);
  });
  document.addEventListener("mousedown", (event) => {
    // A range is no selection of text.
    if (event.shiftKey && event.target.closest(".tile")) event.preventDefault();
  });

  return {
    select,
    toggle,
    element,
    picture,

    draw(shown, names, view, place) {
      const box = document.getElementById("gallery");
      if (!box || !shown) return null;
      enter(place);
      explorer.page.left = shown.left || {};
      if (shown !== drawn || box.childElementCount !== shown.items.length) {
        drawn = shown;
        explorer.tiles = shown.items.map(tile);
        explorer.ring = -1;
        explorer.anchor = 0;
        box.replaceChildren(...explorer.tiles);
        select([]);
      }
      showView(box, shown.run, view);
      showNames(names || {});
      return shown.items.length;
    },

    // The exemplars in the rows of the queue.
    strips(place) {
      enter(place);
      explorer.tiles = [];
      explorer.ring = -1;
      for (const strip of document.querySelectorAll(".strip")) {
        const images = (strip.dataset.crops || "").split(" ").filter(Boolean).map((crop) => {
          const image = element("img", "");
          image.loading = "lazy";
          image.alt = "";
          image.src = picture(strip.dataset.run, crop, "crop", 160);
          return image;
        });
        strip.replaceChildren(...images);
      }
      return null;
    },
  };
})();
