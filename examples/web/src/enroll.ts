// A form. What the user can correct comes back as data, all problems at once; everything else is a `RequestError`.

import { graphql } from './generated/index.js'
import type { EnrollMutation, EnrollParticipantInput } from './generated/graphql.js'
import { execute, type Registry } from './registry.js'

const Enroll = graphql(`
  mutation Enroll($input: EnrollParticipantInput!) {
    enrollParticipant(input: $input) {
      participant {
        id
        cardNumber
        status
      }
      errors {
        code
        severity
        message
        path
        hint
      }
    }
  }
`)

type Payload = EnrollMutation['enrollParticipant']
/** A problem with one field of the form. */
export type FormError = Payload['errors'][number]
/** The person with warnings, or what to correct. */
export type Outcome =
  | { enrolled: true; participant: NonNullable<Payload['participant']>; warnings: FormError[] }
  | { enrolled: false; errors: FormError[] }

/**
 * Sends the form.
 *
 * The key belongs to the form, not to the request: make it when the form is opened (`crypto.randomUUID()`) and keep it for
 * every retry. A refused form does not use it up, so that the corrected one can be sent with it.
 */
export async function enroll(
  registry: Registry,
  form: Omit<EnrollParticipantInput, 'idempotencyKey'>,
  idempotencyKey: string,
): Promise<Outcome> {
  const { enrollParticipant } = await execute(registry, Enroll, { input: { ...form, idempotencyKey } })
  const { participant, errors } = enrollParticipant
  return participant ? { enrolled: true, participant, warnings: errors } : { enrolled: false, errors }
}

/** Groups problems by the field that shows them: `civilServant.serviceNumber`. */
export function byField(errors: FormError[]): Map<string, FormError[]> {
  const fields = new Map<string, FormError[]>()
  for (const error of errors) {
    const field = error.path.join('.')
    fields.set(field, [...(fields.get(field) ?? []), error])
  }
  return fields
}
