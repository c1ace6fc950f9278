/* SPDX-License-Identifier: MIT */
/* Comfort only; the page is whole without it: sorting by a click on a column, saving a file. */
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, i) => {
        const cell = row.cells[i];
        return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.tagName === "TH" ? cell.innerText : Infinity;
    };
    heads.forEach((head, i) => {
        const button = document.createElement("button");
        button.append(...head.childNodes);
        head.append(button);
        button.onclick = () => {
            const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
            heads.forEach(h => h.removeAttribute("aria-sort"));
            head.setAttribute("aria-sort", down > 0 ? "ascending" : "descending");
            const rows = [...body.rows].sort((a, b) => {
                const x = key(a, i), y = key(b, i);
                return x < y ? -down : x > y ? down : 0;
            });
            body.append(...rows);
        };
    });
}
for (const pre of document.querySelectorAll("pre[data-file]")) {
    const button = document.createElement("button");
    button.className = "save";
    button.textContent = "save";
    button.onclick = () => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([pre.textContent], {type: "text/plain"}));
        link.download = pre.dataset.file;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    };
    pre.before(button);
}
