"""Real Argos packages, small ones: they know the sentences of crisis statements and little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from notify.translation.argos import ArgosEngine

PACKAGES = Path(__file__).parent / "packages"


@pytest.fixture(scope="session")
def en_es() -> Path:
    """The archive of the English to Spanish package."""
    return PACKAGES / "translate-en_es-0_1.argosmodel"


@pytest.fixture(scope="session")
def es_en() -> Path:
    """The archive of the Spanish to English package."""
    return PACKAGES / "translate-es_en-0_1.argosmodel"


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, en_es: Path, es_en: Path) -> ArgosEngine:
    """An engine with both packages installed."""
    engine = ArgosEngine(tmp_path_factory.mktemp("packages"))
    engine.install(en_es)
    engine.install(es_en)
    return engine
