// The rows of a batch by work unit.

import { WORK_UNITS } from '../documents/onboarding.js';
import { usePage } from '../i18n/index.js';
import { Bar, Section, useLoad } from '../ui/parts.jsx';

export function WorkUnits({ batch }) {
  const { t, api, format } = usePage();
  const { data } = useLoad((signal) => api.query(WORK_UNITS, { id: batch.id }, signal), [api, batch.id, batch.state]);
  const units = data?.onboardingBatch?.byWorkUnit ?? [];
  if (units.length === 0) return null;
  const most = Math.max(...units.map(({ counts }) => counts.received));
  const csv = () => ({
    name: `onboarding-${batch.id}-work-units`,
    columns: ['work_unit', 'received', 'pending', 'enrolled', 'already_enrolled', 'rejected'],
    rows: units.map(({ workUnit, counts: it }) => [
      workUnit, it.received, it.pending, it.enrolled, it.alreadyEnrolled, it.rejected,
    ]),
  });
  return (
    <Section id="units" title={t('units.title')} csv={csv}>
      <div class="table-scroll" role="region" aria-label={t('units.title')} tabIndex={0}>
        <table class="table bars">
          <thead>
            <tr>
              <th scope="col">{t('units.unit')}</th>
              <th scope="col" class="number">
                {t('counts.received')}
              </th>
              <th scope="col" class="number">
                {t('counts.rejected')}
              </th>
            </tr>
          </thead>
          <tbody>
            {units.map(({ workUnit, counts }) => (
              <tr key={workUnit}>
                <th scope="row">
                  {workUnit || t('units.none')}
                  <Bar
                    label={t('kinds.bar', { kind: workUnit || t('units.none') })}
                    of={most}
                    parts={[
                      ['part-active', counts.received - counts.rejected],
                      ['part-rejected', counts.rejected],
                    ]}
                  />
                </th>
                <td class="number">{format.number(counts.received)}</td>
                <td class="number">{format.number(counts.rejected)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
