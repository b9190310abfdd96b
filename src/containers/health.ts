/** What is thought of a container, and how many results in a row spoke against it. */
export interface Health {
  readonly isUp: boolean
  readonly against: number
}

/** Until a check has said otherwise `fall` times, a container takes clients: a restart of onehop keeps nobody waiting. */
export const ASSUMED_UP: Health = { isUp: true, against: 0 }

/** How many results in a row turn it: `rise` to up, `fall` to down. */
export interface Turns {
  readonly rise: number
  readonly fall: number
}

export function nextHealth(health: Health, hasPassed: boolean, { rise, fall }: Turns): Health {
  if (hasPassed === health.isUp) return { isUp: health.isUp, against: 0 }
  const against = health.against + 1
  const isTurned = against >= (health.isUp ? fall : rise)
  return isTurned ? { isUp: hasPassed, against: 0 } : { isUp: health.isUp, against }
}
