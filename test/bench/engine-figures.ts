import type { EngineFigure } from './report.ts'

export async function measureEngines(_rounds: number): Promise<readonly EngineFigure[]> {
  return []
}
