"""Calibration: Platt scaling finds the true probabilities, and the weights that hold it give them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from blurscene_stream.detect.backends.torch.network_v2 import FacePlateV2Network
from blurscene_stream.errors import UsageError
from scripts.training.__main__ import main
from scripts.training.calibrate import ScoredBoxes, expected_calibration_error, fit_platt, with_calibration
from scripts.training.export import export_weights, read_state


def boxes_of(scale: float, bias: float) -> ScoredBoxes:
    """20,000 boxes whose true probability is that of scale times the logit plus bias."""
    rng = np.random.default_rng(1)
    logits = rng.normal(-1, 1.5, 20_000)
    right = rng.random(len(logits)) < 1 / (1 + np.exp(-(scale * logits + bias)))
    return ScoredBoxes(1 / (1 + np.exp(-logits)), right, np.ones(len(logits)))


@pytest.mark.parametrize(("scale", "bias"), [(1.0, 0.0), (3.8, 1.1), (0.5, -2.0)])
def test_platt_scaling_finds_the_probabilities(scale: float, bias: float) -> None:
    boxes = boxes_of(scale, bias)
    fitted = fit_platt(boxes)
    assert fitted == pytest.approx((scale, bias), abs=0.15)
    assert expected_calibration_error(boxes.calibrated(*fitted)) < 0.01
    if scale != 1:
        assert expected_calibration_error(boxes) > 0.05


def test_too_few_boxes_are_refused() -> None:
    boxes = ScoredBoxes(np.full(30, 0.5), np.arange(30) < 5, np.ones(30))
    with pytest.raises(UsageError, match="5 right and 25 wrong boxes are too few to calibrate"):
        fit_platt(boxes)


def test_a_calibration_changes_the_logits_of_the_fused_network_alone() -> None:
    torch.manual_seed(0)
    network = FacePlateV2Network((8, 8), (8, 8, 8, 8), (8, 8, 8, 8), (1, 1, 1, 1), 8).eval()
    torch.nn.init.normal_(network.out.weight)
    x = torch.rand(1, 3, 64, 64) * 255
    once = with_calibration(network.state_dict(), [(6.0, 2.0), (0.25, 1.0)])
    network.load_state_dict(with_calibration(once, [(0.5, 0.0), (2.0, -4.0)]))
    with torch.no_grad():
        before = network(x)
        after = network.fuse(fused_relu=False)(x)
    assert torch.allclose(after[:, 0, 0], 3 * before[:, 0, 0] + 1, atol=1e-4)
    assert torch.allclose(after[:, 1, 0], 0.5 * before[:, 1, 0] - 2, atol=1e-4)
    assert torch.allclose(after[:, :, 1:], before[:, :, 1:], atol=1e-4)


def test_what_had_a_score_has_the_default_threshold_once_scores_are_moved(tmp_path: Path) -> None:
    given, out = tmp_path / "given.pt", tmp_path / "moved.pt"
    state = {**FacePlateV2Network().state_dict(), "calibration": torch.tensor([[3.0, 0.5], [2.0, -1.0]])}
    export_weights(state, given)
    assert CliRunner().invoke(main, ["move", str(given), "0.02", "0.05", "--out", str(out)]).exit_code == 0
    (scales, biases), (before, after) = read_state(out)["calibration"].T, (torch.tensor([0.5, -1.0]), 0.2)
    assert scales.tolist() == [3.0, 2.0]
    moved = torch.logit(torch.tensor([0.02, 0.05])) - before + biases
    assert torch.allclose(torch.sigmoid(moved), torch.tensor(after), atol=1e-3)

    refused = CliRunner().invoke(main, ["move", str(given), "0.02", "--out", str(out)])
    assert refused.exit_code == 2 and "give a SCORE for each of face, license_plate" in refused.output
