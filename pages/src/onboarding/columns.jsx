// The columns of the file as the registry understood them, and what it left out.

import { usePage } from '../i18n/index.js';
import { Notice, Section } from '../ui/parts.jsx';

export function Columns({ batch }) {
  const { t, name } = usePage();
  // The terms tell of the same file, with a link to the earlier batch.
  const warnings = batch.problems.filter(({ severity, code }) => severity === 'WARNING' && code !== 'DUPLICATE_FILE');
  const ignored = batch.columns.filter(({ field, name: title }) => field === null && title !== '');
  if (batch.columns.length === 0) return null;
  return (
    <Section id="columns" title={t('columns.title')} note={t('columns.note')}>
      {ignored.length > 0 && (
        <Notice kind="warning">{t('columns.ignored', { names: ignored.map((it) => it.name).join(', ') })}</Notice>
      )}
      {warnings.map(({ message, hint }) => (
        <Notice key={message} kind="warning" title={message}>
          {hint}
        </Notice>
      ))}
      <ol class="column-list">
        {batch.columns.map(({ name: title, field }, index) => (
          <li key={index} class={field === null ? 'is-ignored' : ''}>
            <span>{title || t('columns.unnamed')}</span>
            <b>{field === null ? t('columns.notRead') : name('field', field)}</b>
          </li>
        ))}
      </ol>
    </Section>
  );
}
