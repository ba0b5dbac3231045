// The terms of a batch, which its approver approves with it.

import { usePage } from '../i18n/index.js';
import { Link, Notice, Section } from '../ui/parts.jsx';

/** The name of whoever pays for the people of a batch. */
export const payerOf = (batch, t) => batch.employer?.name ?? batch.association?.name ?? t('batches.ownPayers');

export function Terms({ batch }) {
  const { t, name, format, language } = usePage();
  const { province } = batch;
  const terms = [
    [t(batch.association ? 'form.association' : 'form.employer'), payerOf(batch, t)],
    [t('form.people'), name('category', batch.category ?? batch.segment)],
    [t('form.province'), language === 'id' ? province.name : province.nameEn],
    [t('form.programmes'), batch.programmes.map((it) => name('programme', it)).join(', ')],
    batch.month ? [t('form.month'), format.month(batch.month)] : [t('form.startsOn'), format.day(batch.startsOn)],
  ];
  const options = [batch.firstContributionPaid && t('form.paid'), batch.allOrNothing && t('form.allOrNothing')];
  return (
    <Section id="terms" title={t('terms.title')}>
      {batch.sameFileAs && (
        <Notice kind="warning" title={t('terms.sameFile')}>
          <Link href={`/onboarding/${batch.sameFileAs.id}`}>{t('terms.earlier')}</Link>
        </Notice>
      )}
      <ul class="term-list">
        {terms.map(([term, text]) => (
          <li key={term}>
            <span>{term}</span>
            <b>{text}</b>
          </li>
        ))}
        {options.filter(Boolean).map((it) => (
          <li key={it}>
            <b>{it}</b>
          </li>
        ))}
      </ul>
    </Section>
  );
}
