// The statements of a hand-written server, each prepared once for a connection.
import pg from "pg";

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.DATE, (text) => text);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });

const prepared = (name, text) => async (values = []) => (await pool.query({ name, text, values })).rows;
const person = `id, nik, name, birth_date as "birthDate", gender, segment, status, province_id, channel_id, employer_id`;
const byId = {
  employer: prepared("employer", "select id, name, province_id from employers where id = any($1)"),
  channel: prepared("channel", "select id, name, kind, province_id from channels where id = any($1)"),
  province: prepared("province", "select id, name from provinces where id = any($1)"),
};
const firstOf = prepared("first", `select x.* from unnest($1::int[]) k(id),
  lateral (select ${person} from participants where employer_id = k.id order by id limit $2) x`);
const count = prepared("count",
  "select employer_id as id, count(*) as n from participants where employer_id = any($1) group by 1");

export const participant = prepared("by_id", `select ${person} from participants where id = $1`);
export const participantByNik = prepared("by_nik", `select ${person} from participants where nik = $1`);
export const participants = prepared("page", `select ${person} from participants
  where province_id = $1 and status = $2 and id > $3 order by id limit $4`);
export const employers = prepared("employers",
  "select id, name, province_id from employers where id > $1 order by id limit $2");
export const coverage = prepared("coverage", `select p.name as "provinceName", c.segment, c.active
  from (select province_id, segment, count(*) as active from participants where status = 'ACTIVE' group by 1, 2) c
  join provinces p on p.id = c.province_id`);

export async function related(kind, ids) {
  const rows = await byId[kind]([[...new Set(ids.filter((id) => id != null))]]);
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

export async function peopleOf(ids, first) {
  const people = new Map(ids.map((id) => [id, []]));
  for (const row of await firstOf([ids, first])) people.get(row.employer_id).push(row);
  return ids.map((id) => people.get(id));
}

export async function countOf(ids) {
  const counts = new Map((await count([ids])).map((row) => [row.id, row.n]));
  return ids.map((id) => counts.get(id) ?? 0);
}

export async function enroll(form) {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const { rows: [enrolled] } = await client.query({
      name: "enroll",
      text: `insert into participants (nik, name, birth_date, gender, segment, status, province_id, channel_id, employer_id)
             values ($1, $2, $3, $4, $5, 'ACTIVE', $6, $7, $8) returning ${person}`,
      values: [form.nik, form.name, form.birthDate, form.gender, form.segment, form.provinceId, form.channelId,
        form.employerId],
    });
    await client.query({
      name: "history",
      text: `insert into enrollments (participant_id, event, segment, channel_id, employer_id, effective_on)
             values ($1, 'ENROLL', $2, $3, $4, current_date)`,
      values: [enrolled.id, enrolled.segment, enrolled.channel_id, enrolled.employer_id],
    });
    await client.query("commit");
    return enrolled;
  } catch (error) {
    await client.query("rollback");
    throw error;
  } finally {
    client.release();
  }
}
