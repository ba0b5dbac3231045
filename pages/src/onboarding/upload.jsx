// Sending the file of a batch.

import { useMemo } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { useSyncExternalStore } from '../ui/external-store.js';
import { Bar, Notice, Section } from '../ui/parts.jsx';
import { DropField } from './drop.jsx';
import { ProblemList } from './form.jsx';
import { sendFile, uploadOf } from './uploads.js';

export function Upload({ batch, isOwn }) {
  const { t, api, format } = usePage();
  const upload = useMemo(() => uploadOf(batch.id), [batch.id]);
  const { file, sent, problems } = useSyncExternalStore(upload.subscribe, upload.snapshot);
  if (!isOwn) return <Notice>{t('upload.other', { name: batch.submittedBy })}</Notice>;
  return (
    <Section id="upload" title={t('upload.title')}>
      <DropField
        label={t('drop.label')}
        hint={t('drop.hint')}
        file={file}
        onFile={(chosen) => sendFile(api, batch, chosen)}
        disabled={sent !== null}
      />
      {sent !== null && (
        <>
          <Bar label={t('upload.sending')} of={1} parts={[['part-active', sent]]} />
          <p class="note" role="status">
            {sent < 1 ? t('upload.sent', { part: format.percent(sent) }) : t('upload.reading')}
          </p>
        </>
      )}
      <ProblemList problems={problems} />
    </Section>
  );
}
