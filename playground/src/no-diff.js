// Stands in for Monaco's side-by-side comparison, which this page never opens (see `vite.config.js`).

export class DiffEditorWidget {}
export class MultiDiffEditorWidget {}
