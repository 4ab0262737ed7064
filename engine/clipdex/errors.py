"""All errors of clipdex.

::

    ClipdexError                 exit code 1
    ├── IndexFailure             see clipdex_indexes.errors
    ├── DatasetError             a dataset that cannot be read
    │   ├── DatasetNotFound      no such folder
    │   ├── DatasetEmpty         a folder without images, or none that could be read
    │   └── DatasetNotIndexed    no index yet
    ├── ModelError               a model folder
    │   ├── ModelNotFound        no such model
    │   ├── ModelCorrupt         a file of it is missing, damaged or not what model.json says
    │   ├── ModelMismatch        hash keys of different models cannot be compared
    │   ├── ModelMisbehaves      this machine computes other hash keys than the model's self-test
    │   ├── ModelUnsupported     a source that no model can be made of
    │   ├── ModelExists          the name is taken
    │   ├── ModelDownloadFailed  a model could not be fetched
    │   └── DeviceUnavailable    a device or a precision that this machine does not have
    ├── SettingsError            settings of a build that are not what they should be
    ├── ExtraMissing             an optional package that is not installed
    ├── QueryError               a query that cannot be answered
    │   ├── QueryImageError      the image of a query cannot be read
    │   ├── ItemNotFound         no item has that id
    │   └── ItemAmbiguous        several items have that id
    ├── ImageError               an image that cannot be decoded; during a build it is reported, not raised
    ├── ProjectError             a project, or what is asked of it
    │   ├── ProjectNotFound      no such project
    │   └── ProjectFileInvalid   its clipdex.toml is not what it should be; the message names the line
    └── OutputError              results that cannot be written, or a saved result that cannot be read

Every error carries one message, made to be shown. All of them pickle.
"""

from __future__ import annotations

from clipdex_indexes import (
    ClipdexError,
    IndexCorrupt,
    IndexFailure,
    IndexLocked,
    IndexNotFound,
    IndexTooNew,
    IndexWriteFailed,
)

__all__ = [
    "ClipdexError",
    "DatasetEmpty",
    "DatasetError",
    "DatasetNotFound",
    "DatasetNotIndexed",
    "DeviceUnavailable",
    "ExtraMissing",
    "ImageError",
    "IndexCorrupt",
    "IndexFailure",
    "IndexLocked",
    "IndexNotFound",
    "IndexTooNew",
    "IndexWriteFailed",
    "ItemAmbiguous",
    "ItemNotFound",
    "ModelCorrupt",
    "ModelDownloadFailed",
    "ModelError",
    "ModelExists",
    "ModelMisbehaves",
    "ModelMismatch",
    "ModelNotFound",
    "ModelUnsupported",
    "OutputError",
    "ProjectError",
    "ProjectFileInvalid",
    "ProjectNotFound",
    "QueryError",
    "QueryImageError",
    "SettingsError",
]


class DatasetError(ClipdexError):
    """A dataset cannot be used."""


class DatasetNotFound(DatasetError):
    """There is no such folder."""


class DatasetEmpty(DatasetError):
    """There is nothing in it that could be indexed."""


class DatasetNotIndexed(DatasetError):
    """It has no index yet."""


class ModelError(ClipdexError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """There is no such model."""


class ModelCorrupt(ModelError):
    """A model folder is incomplete, damaged or inconsistent."""


class ModelMismatch(ModelError):
    """Hash keys of different models would be compared."""


class ModelMisbehaves(ModelError):
    """The self-test of a model fails on this machine."""


class ModelUnsupported(ModelError):
    """What was given is no dual encoder that a model can be made of."""


class ModelExists(ModelError):
    """There is a model of that name already."""


class ModelDownloadFailed(ModelError):
    """A model could not be fetched, or what came is not what was announced."""


class DeviceUnavailable(ModelError):
    """A device that is not here, or a precision that a device does not compute in."""


class SettingsError(ClipdexError):
    """Settings of a build that are not what they should be."""


class ExtraMissing(ClipdexError):
    """An optional package is needed, and is not installed."""


class QueryError(ClipdexError):
    """A query cannot be answered as it was asked."""


class QueryImageError(QueryError):
    """The image of a query cannot be read."""


class ItemNotFound(QueryError):
    """No item has the id that was asked for."""


class ItemAmbiguous(QueryError):
    """Several items have the id that was asked for."""


class ImageError(ClipdexError):
    """An image cannot be decoded."""


class ProjectError(ClipdexError):
    """A project cannot do what was asked of it."""


class ProjectNotFound(ProjectError):
    """There is no project."""


class ProjectFileInvalid(ProjectError):
    """A ``clipdex.toml`` is not what it should be."""


class OutputError(ClipdexError):
    """A result cannot be written, or a saved one cannot be read."""
