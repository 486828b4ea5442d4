#!/bin/sh
# The study: which settings help. Every configuration on the four datasets with seeds 0 to 2, the exact denoiser of its
# protocol, and fresh true points; then the table and picture of results/study/. Nine to ten hours on two cores; stopped and
# started again it continues, and study.csv keeps what was done on other machines. In the order of the questions in the
# experiment's notes.
#
#     results/knobs.sh [SEEDS [CONFIG...]]     # 0-2 and all of them; CONFIG: only these (or floor), so that the work can be divided
#     results/knobs.sh 0-4 mode_capture        # the committed study has five seeds of it
set -eu
cd "$(dirname "$0")/.."
seeds="${1:-0-2}"
[ $# -eq 0 ] || shift
only="$*"
datasets="circle dino line moons"
python=.venv/bin/python3
[ -x $python ] || python=python3

wanted() {
    [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac
}

results_of() {
    for dataset in $datasets; do
        find "runs/$1/$dataset" -name 'seed_*.h5' ! -name '*.ckpt.h5' | sort
    done
}

train() {
    for config in "$@"; do
        wanted "$config" || continue
        build/dualdiff train "configs/$config.toml" --seeds "$seeds" --out runs --quiet
        case $config in
        run_0 | single_* | *_single) ;; # one network: no gate
        *)
            for file in $(results_of "$config"); do
                h5ls "$file/analysis" >/dev/null 2>&1 || build/dualdiff analyze "$file" >/dev/null
            done
            ;;
        esac
        show
    done
}

# The same networks under another sampler.
resample() {
    trained=$1
    shift
    for config in "$@"; do
        wanted "$config" || continue
        for file in $(results_of "$trained"); do
            [ -e "runs/$config/${file#runs/"$trained"/}" ] ||
                build/dualdiff evaluate "$file" --config "configs/$config.toml" --out runs >/dev/null
        done
        show
    done
}

show() {
    $python results/study.py runs --out results/study --base run_1 'single_*=run_0' 'stretched_noise*=run_3' 'diversity_*=run_4' 'batch_*=run_4' \
        'mode_capture_*=mode_capture'
}

for dataset in $datasets; do
    ! wanted floor || [ -e "runs/floor/$dataset/seed_0.h5" ] ||
        build/dualdiff floor configs/run_1.toml --dataset "$dataset" --out runs >/dev/null
    for config in run_1 cosine_100 cosine_250 cosine_1000 zero_snr ddim_20 ddim_100 start_data stretched_noise \
        stretched_noise_14 stretched_noise_19 mode_capture; do
        wanted "$config" || continue
        [ -e "runs/oracle_$config/$dataset/seed_0.h5" ] ||
            build/dualdiff oracle "configs/$config.toml" --dataset "$dataset" --out runs >/dev/null
    done
done
train run_1
resample run_1 ddim_20 ddim_100 start_data
train single_690k fixed_gate hard_gate run_0 run_3
resample run_3 stretched_noise stretched_noise_14 stretched_noise_19
train run_4 mode_capture mode_capture_single experts_4 predict_v predict_x0 cosine_250 silu single_790k diversity_squared diversity_rbf \
    diversity_log diversity_l1 diversity_annealed diversity_hidden diversity_hidden_rbf min_snr zero_snr cosine_100 cosine_1000 \
    run_2 run_5 gelu tanh batch_64 experts_8 batch_1024
