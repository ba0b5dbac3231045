// The first page of the documentation. GraphiQL shows it as the description of the schema, which is otherwise a sentence of
// the library about schemas in general.

export const START_PAGE = `
**The participant registry**: who is covered by employment social security, through which employer, association and channel,
and how far the country is on the way to its target.

Where to begin:

- \`coverage\` – figures by province, channel and segment, on any day
- \`participants\`, \`participant\` – people, one by one or page by page
- \`enrollParticipant\`, \`startOnboarding\` – enroll one person, or a roster
- \`provinces\` – agreements and what they promise
- \`licenceClearance\` – whether a company may have its licence

The tabs are examples of these. Every mutation takes an \`idempotencyKey\`: send it again with the same key, and nothing
happens twice. Figures and rosters also have pages of their own: [coverage](/coverage) and [onboarding](/onboarding).
`;
