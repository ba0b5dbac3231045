// The documents of the coverage pages. They are complete texts, so that an operator can allow them by their hash.

const COUNTS = `fragment Counts on ParticipantCounts { total active registered inactive ended }`;

const PICTURE = `
fragment Picture on Coverage {
  counts { ...Counts }
  progress
  target { year active }
  provincesInAll
  provincesInForce
  reported { metric on value source province { code name nameEn } }
  bySegment { segment counts { ...Counts } }
  byChannelKind { kind channels counts { ...Counts } }
  byProvince {
    province {
      code isoCode name nameEn
      predecessor { isoCode }
      agreement {
        id number status signedOn validFrom validUntil scopes
        commitments { scope headcount dueOn enrolled active }
      }
    }
    counts { ...Counts }
    target { active }
  }
  trend(from: $from, until: $until) { on active }
}
${COUNTS}`;

/** Says when the coverage has changed. */
export const COVERAGE_CHANGED = `
subscription CoverageChanged($filter: CoverageFilter) {
  coverage(filterBy: $filter) { counts { active } }
}`;

/** The coverage now, or at the end of the day `asOf` of the filter. */
export const COVERAGE = `
query Coverage($filter: CoverageFilter, $from: Date!, $until: Date!) {
  coverage(filterBy: $filter) { ...Picture }
}
${PICTURE}`;

const CHANNELS = `
fragment ChannelPage on ChannelConnection {
  totalCount
  pageInfo { hasNextPage endCursor }
  nodes { code name kind operator isOpen openedOn closedOn counts { ...Counts } }
}
${COUNTS}`;

/** What is known of a province beside its figures. */
export const PROVINCE = `
query ProvincePage($code: String!, $after: String) {
  province(code: $code) {
    code name nameEn capital
    predecessor { code name nameEn }
    successors { code name nameEn }
    channels(first: 50, after: $after) { ...ChannelPage }
  }
}
${CHANNELS}`;

/** What is known of a channel beside its figures. */
export const CHANNEL = `
query ChannelPage($code: String!, $after: String) {
  channel(code: $code) {
    code name kind operator isOpen openedOn closedOn
    counts { ...Counts }
    ownCounts { ...Counts }
    parent { code name }
    provinces { code name nameEn }
    children(first: 50, after: $after) { ...ChannelPage }
  }
}
${CHANNELS}`;

/** The channels of a kind. */
export const CHANNELS_OF_KIND = `
query ChannelsOfKind($filter: ChannelFilter, $after: String) {
  channels(first: 50, after: $after, filterBy: $filter, orderBy: { field: NAME }) { ...ChannelPage }
}
${CHANNELS}`;

export const VIEWER = `
query Viewer {
  viewer { name role provinces { code name nameEn } channel { code name } }
}`;

/** The employer of a partner, which not every role may read. */
export const VIEWER_EMPLOYER = `
query ViewerEmployer {
  viewer { employer { id name kind province { code } } association { id name province { code } } }
}`;
