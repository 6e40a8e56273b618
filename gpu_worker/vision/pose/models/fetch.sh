#!/bin/sh
# Fetches both models again from the npm package and checks that they are the ones pinned here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @mediapipe/pose@0.5.1675469404 > /dev/null
tar xzf mediapipe-pose-*.tgz
chmod -R u+rw package
cp package/pose_solution_packed_assets.data "$here/pose_detection.tflite"
cp package/pose_landmark_lite.tflite "$here/pose_landmark_lite.tflite"
cd "$here"
sha256sum -c - <<'SUMS'
a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85  pose_detection.tflite
f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61  pose_landmark_lite.tflite
SUMS
