// Sending the file of a batch.

import { useEffect, useState } from 'preact/hooks';
import { usePage } from '../i18n/index.js';
import { Bar, Notice, Section } from '../ui/parts.jsx';
import { DropField } from './drop.jsx';
import { ProblemList } from './form.jsx';
import { takeWaiting } from './start.js';

export function Upload({ batch, isOwn }) {
  const { t, api, format } = usePage();
  const [file, setFile] = useState(() => takeWaiting(batch.id));
  const [sent, setSent] = useState(null);
  const [problems, setProblems] = useState([]);

  useEffect(() => {
    if (!file) return;
    setProblems([]);
    setSent(0);
    api
      .upload(batch.uploadUrl, file, setSent)
      .catch((error) => setProblems(error.problems?.length > 0 ? error.problems : [error]))
      .finally(() => setSent(null));
  }, [file]);

  if (!isOwn) return <Notice>{t('upload.other', { name: batch.submittedBy })}</Notice>;
  return (
    <Section id="upload" title={t('upload.title')}>
      <DropField label={t('drop.label')} hint={t('drop.hint')} file={file} onFile={setFile} disabled={sent !== null} />
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
