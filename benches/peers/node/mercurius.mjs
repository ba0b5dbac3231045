// mercurius on fastify, with its just-in-time compiler and its loaders.
import Fastify from "fastify";
import mercurius from "mercurius";
import * as statements from "./statements.mjs";

const schema = `
enum Segment { WAGE INFORMAL CONSTRUCTION MIGRANT CIVIL }
enum Status { ACTIVE INACTIVE PENDING }
enum ChannelKind { REGIONAL_OFFICE BRANCH BANK_OUTLET SERVICE_POINT }
type Province { id: Int! name: String! }
type Channel { id: Int! name: String! kind: ChannelKind! province: Province! }
type Employer {
  id: Int! name: String! province: Province! participantCount: Int! participants(first: Int = 10): [Participant!]!
}
type Participant {
  id: Int! nik: String! name: String! birthDate: String! gender: String! segment: Segment! status: Status!
  province: Province! channel: Channel! employer: Employer
}
type Coverage { provinceName: String! segment: Segment! active: Int! }
input Form {
  nik: String! name: String! birthDate: String! gender: String! segment: Segment!
  provinceId: Int! channelId: Int! employerId: Int
}
type Query {
  participant(id: Int!): Participant
  participantByNik(nik: String!): Participant
  participants(provinceId: Int!, status: Status!, afterId: Int!, first: Int = 50): [Participant!]!
  employers(afterId: Int!, first: Int = 20): [Employer!]!
  coverage: [Coverage!]!
}
type Mutation { enroll(form: Form!): Participant! }`;
const resolvers = {
  Query: {
    participant: async (_, { id }) => (await statements.participant([id]))[0],
    participantByNik: async (_, { nik }) => (await statements.participantByNik([nik]))[0],
    participants: (_, { provinceId, status, afterId, first }) =>
      statements.participants([provinceId, status, afterId, first]),
    employers: (_, { afterId, first }) => statements.employers([afterId, first]),
    coverage: () => statements.coverage(),
  },
  Mutation: { enroll: (_, { form }) => statements.enroll(form) },
};
const batched = (loader) => ({ loader, opts: { cache: false } });
const relation = (kind, key) => batched((queries) => statements.related(kind, queries.map(({ obj }) => obj[key])));
const ids = (queries) => queries.map(({ obj }) => obj.id);
const loaders = {
  Participant: {
    province: relation("province", "province_id"),
    channel: relation("channel", "channel_id"),
    employer: relation("employer", "employer_id"),
  },
  Channel: { province: relation("province", "province_id") },
  Employer: {
    province: relation("province", "province_id"),
    participants: batched((queries) => statements.peopleOf(ids(queries), queries[0].params.first)),
    participantCount: batched((queries) => statements.countOf(ids(queries))),
  },
};

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, jit: 1, graphiql: false });
await app.listen({ port: Number(process.env.PORT), host: "127.0.0.1" });
