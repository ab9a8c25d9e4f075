#!/usr/bin/env bash
# A suite in as many parts as the array has tasks: sbatch --array=0-3 slurm-array.sh
# When all have ended: apus test merge report-*.json
#SBATCH --job-name=apus-test
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=30
set -euo pipefail
exec ${APUS_TEST:-apus test --kernel Image --directory tests} --shard auto --json "report-$SLURM_ARRAY_TASK_ID.json"
