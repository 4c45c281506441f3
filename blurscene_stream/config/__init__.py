"""The settings of a run: `schema` holds the words; `load` reads them, and alone knows hydra and omegaconf.

`load_settings` is imported from `blurscene_stream.config.load`: hydra takes its time to import, and rooms need only
the words.
"""

from blurscene_stream.config.schema import (
    AreaMethod,
    BlurSceneMergeMethod,
    ClassConfig,
    DetectConfig,
    EncodeConfig,
    InputConfig,
    LoggingConfig,
    MergeConfig,
    MergeMethod,
    ModelConfig,
    Precision,
    ProcessingConfig,
    RedactConfig,
    RedactMethod,
    RtspConfig,
    Settings,
    Shape,
    VariantsConfig,
    chosen,
)

__all__ = [
    "AreaMethod",
    "BlurSceneMergeMethod",
    "ClassConfig",
    "DetectConfig",
    "EncodeConfig",
    "InputConfig",
    "LoggingConfig",
    "MergeConfig",
    "MergeMethod",
    "ModelConfig",
    "Precision",
    "ProcessingConfig",
    "RedactConfig",
    "RedactMethod",
    "RtspConfig",
    "Settings",
    "Shape",
    "VariantsConfig",
    "chosen",
]
