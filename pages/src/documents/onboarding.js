// The documents of the onboarding pages.

const COUNTS = `fragment RowCounts on OnboardingCounts { received pending enrolled alreadyEnrolled rejected flagged }`;

const BATCH = `
fragment Batch on OnboardingBatch {
  id state fileName submittedAt submittedBy approvedBy cancelledBy cancelReason finishedAt
  counts { ...RowCounts }
  columns { name field }
  byProblem { code rows }
  workUnits
  monthlyContributions planDigest uploadUrl reportUrl
  problems { code severity message hint }
  employer { id name }
  association { id name }
  segment category startsOn programmes firstContributionPaid allOrNothing
  province { code name nameEn }
  sameFileAs { id }
  channel { code name }
  kind month differencesUrl
  changes { change rows }
  dueBefore { ...Due }
  dueAfter { ...Due }
  fallenWages { rows percent }
}
fragment Due on MonthlyDue { programme people employer worker rule { title } }
${COUNTS}`;

/** Says when a batch has changed, until it ends. */
export const BATCH_CHANGED = `
subscription BatchChanged($id: ID!) {
  onboardingBatch(id: $id) { state }
}`;

export const BATCH_NOW = `
query Batch($id: ID!) {
  onboardingBatch(id: $id) { ...Batch }
}
${BATCH}`;

export const BATCHES = `
query Batches($after: String) {
  onboardingBatches(first: 20, after: $after) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes { id state fileName submittedAt submittedBy employer { name } association { name } counts { ...RowCounts } }
  }
}
${COUNTS}`;

/** Rows with problems, in the order of the file. */
export const ROWS = `
query BatchRows($id: ID!, $filter: OnboardingRowFilter!, $after: String) {
  onboardingBatch(id: $id) {
    rows(first: 50, after: $after, filterBy: $filter) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { number line outcome problems { code severity path message hint } }
    }
  }
}`;

/** Rows of a monthly list that are one of some changes. */
export const LIST_ROWS = `
query ListRows($id: ID!, $change: [ListChange!]!, $after: String) {
  onboardingBatch(id: $id) {
    rows(first: 50, after: $after, filterBy: { change: $change }) {
      pageInfo { hasNextPage endCursor }
      nodes { number line change wageBefore wageAfter participant { fullName } content { fullName lastDay leavingReason } }
    }
  }
}`;

/** People who are registered with the payer of a monthly list and are not in it. */
export const ABSENT = `
query Absent($id: ID!, $after: String) {
  onboardingBatch(id: $id) {
    absent(first: 50, after: $after) {
      pageInfo { hasNextPage endCursor }
      nodes { participant { id fullName } ended }
    }
  }
}`;

/** Which rows were refused, in the order of the file. */
export const REFUSED_ROWS = `
query RefusedRows($id: ID!, $after: String) {
  onboardingBatch(id: $id) {
    rows(first: 100, after: $after, filterBy: { outcome: [REJECTED] }) {
      pageInfo { hasNextPage endCursor }
      nodes { number }
    }
  }
}`;

export const WORK_UNITS = `
query BatchWorkUnits($id: ID!) {
  onboardingBatch(id: $id) { byWorkUnit { workUnit counts { ...RowCounts } } }
}
${COUNTS}`;

/** What the form offers. */
export const PROVINCES = `query Provinces { provinces { code name nameEn } }`;

/** Employers of a province, by words of their names if there are more than a page of them. */
export const EMPLOYERS = `
query Employers($province: String!, $kind: [EmployerKind!]!, $name: String) {
  found: employers(first: 100, filterBy: { kind: $kind, provinceCode: $province, name: $name }, orderBy: { field: NAME }) {
    pageInfo { hasNextPage }
    nodes { id name }
  }
}`;

export const ASSOCIATIONS = `
query Associations($province: String!, $name: String) {
  found: associations(first: 100, filterBy: { provinceCode: $province, name: $name }, orderBy: { field: NAME }) {
    pageInfo { hasNextPage }
    nodes { id name }
  }
}`;

export const CHANNELS = `
query Channels($province: String!, $name: String) {
  found: channels(
    first: 100
    filterBy: {
      provinceCode: $province, open: true, name: $name, kind: [GOVERNMENT_UNIT, ASSOCIATION_DESK, BRANCH, REGIONAL_OFFICE]
    }
  ) {
    pageInfo { hasNextPage }
    nodes { code name kind }
  }
}`;

export const START = `
mutation Start($input: StartOnboardingInput!) {
  startOnboarding(input: $input) { batch { id uploadUrl } errors { code path message hint } }
}`;

export const APPROVE = `
mutation Approve($input: ApproveOnboardingInput!) {
  approveOnboarding(input: $input) { batch { id state } errors { code path message hint } }
}`;

export const CANCEL = `
mutation Cancel($input: CancelOnboardingInput!) {
  cancelOnboarding(input: $input) { batch { id state } errors { code path message hint } }
}`;
