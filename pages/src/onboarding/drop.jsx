// A field for a file: dropped, or chosen with the keyboard.

import { useId, useRef, useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';

export function DropField({ label, hint, file, onFile, disabled }) {
  const { t, format } = usePage();
  const [isOver, setOver] = useState(false);
  const input = useRef(null);
  const chosen = useId();
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    const dropped = event.dataTransfer.files[0];
    if (dropped && !disabled) onFile(dropped);
  };
  return (
    <div
      class={`drop ${isOver ? 'is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3" />
      </svg>
      <p>
        <label>
          <span class="drop-label">{label}</span>
          <input
            ref={input}
            type="file"
            class="visually-hidden"
            accept=".csv,.xlsx,.txt,text/csv"
            disabled={disabled}
            aria-describedby={chosen}
            onChange={(event) => {
              const [picked] = event.currentTarget.files;
              if (picked) onFile(picked);
              // The same file can be chosen again after a correction.
              event.currentTarget.value = '';
            }}
          />
        </label>
      </p>
      {/* The field itself is emptied after a choice, so this says which file was chosen. */}
      <p class="note" id={chosen} role="status">{file ? t('drop.file', { name: file.name, size: format.number(Math.ceil(file.size / 1024)) }) : hint}</p>
    </div>
  );
}
