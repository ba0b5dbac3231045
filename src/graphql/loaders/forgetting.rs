//! How the loaders of a subscription start anew with each event.

use super::Loaders;

impl Loaders {
    /// Forgets all values, so that the next event of a subscription reads them anew.
    pub fn forget(&self) {
        let Self {
            participants,
            enrollments,
            paid_months,
            events,
            employers,
            employer_events,
            associations,
            batches,
            payments,
            people_pages,
            employer_pages,
            association_pages,
            enrollment_pages,
            event_pages,
            employer_event_pages,
            row_pages,
            absent_pages,
            sent_rows,
            work_units,
            row_problems,
            counts,
            own_counts,
            workforce,
            last_enrollments,
            totals,
        } = self;
        participants.forget();
        enrollments.forget();
        paid_months.forget();
        events.forget();
        employers.forget();
        employer_events.forget();
        associations.forget();
        batches.forget();
        payments.forget();
        people_pages.forget();
        employer_pages.forget();
        association_pages.forget();
        enrollment_pages.forget();
        event_pages.forget();
        employer_event_pages.forget();
        row_pages.forget();
        absent_pages.forget();
        sent_rows.forget();
        work_units.forget();
        row_problems.forget();
        counts.forget();
        own_counts.forget();
        workforce.forget();
        last_enrollments.forget();
        totals.forget();
    }
}
