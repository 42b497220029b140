// Cells of the tree of subcategories: the name, indented, which leads to its crops, and the colour.
"use strict";

(() => {
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const make = (...parts) => window.React.createElement(...parts);

  cells.SubcategoryName = ({ data, api, node, column }) => {
    const href = window.explorer.address("/cluster", { name: data.id });
    const follow = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
      event.preventDefault();
      window.explorer.go(href);
    };
    const edit = () => {
      const cell = { rowIndex: node.rowIndex, colKey: column.getColId() };
      // After the grid has dealt with the click; else it holds the first Enter for its own.
      window.setTimeout(() => {
        api.setFocusedCell(cell.rowIndex, cell.colKey);
        api.startEditingCell(cell);
      });
    };
    const link = make(
      "a", { href, onClick: follow, className: "tree-name" }, data.name,
    );
    const pencil = make(
      "button",
      { className: "pencil", onClick: edit, title: "Rename", "aria-label": `Rename ${data.name}` },
      "✎",
    );
    const style = { paddingLeft: `${data.depth * 20}px` };
    const editable = column.getColDef().editable;
    return make("span", { className: "tree-cell", style }, link, editable ? pencil : null);
  };

  cells.SubcategoryColour = ({ data, editable }) => {
    // `change` comes once, when the picker is closed; React's own event comes at every step.
    const listen = (input) => {
      if (!input) return;
      input.onchange = () =>
        set("subcategories-do", {
          data: { do: "colour", id: data.id, value: input.value, at: Date.now() },
        });
    };
    return make("input", {
      key: data.colour,
      ref: listen,
      type: "color",
      defaultValue: data.colour || "#93a4ad",
      className: data.colour ? "swatch" : "swatch none",
      disabled: !editable,
      "aria-label": `Colour of ${data.name}`,
      title: data.colour || "no colour yet",
    });
  };
})();
