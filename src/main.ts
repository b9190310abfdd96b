#!/usr/bin/env node
import { runCli } from './cli/program.ts'

const { argv, env, stdout, stderr } = process
process.exitCode = await runCli({ argv: argv.slice(2), env, stdout, stderr })
