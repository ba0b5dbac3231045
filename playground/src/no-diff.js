// An empty replacement for Monaco's diff editor, which this page never opens (see `vite.config.js`).

export class DiffEditorWidget {}
export class MultiDiffEditorWidget {}
