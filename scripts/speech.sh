#!/bin/sh
# Makes data/speech.wav, the speech that `bptt train sound` learns where no file is named: one sentence after the
# other, spoken by espeak-ng, at 8000 Hz in 16 bit. The text is this project's; what espeak-ng speaks is not bound by
# its licence (GPL 3), as what a compiler compiles is not by the compiler's.
# Needs espeak-ng and sox. The committed file was made with espeak-ng 1.51.
set -eu
cd "$(dirname "$0")/.."
spoken=$(mktemp --suffix .wav)
trap 'rm -f "$spoken"' EXIT
espeak-ng -v en-gb -s 170 -a 90 -w "$spoken" "\
Time is a loop, and a cell is a step. Each step reads one sample, mixes it with what it remembers, \
and guesses the next. When the guess is wrong, the error walks back through the same loop, \
and every weight learns a little."
# Silence at the end would be all there is to validate on.
sox "$spoken" --rate 8000 --bits 16 --channels 1 --no-dither data/speech.wav reverse silence 1 0.05 0.5% reverse
