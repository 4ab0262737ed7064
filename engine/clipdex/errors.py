"""All errors of clipdex.

::

    ClipdexError                 exit code 1
    ├── IndexFailure             see clipdex_indexes.errors
    ├── DatasetError             a dataset that cannot be read
    │   ├── DatasetNotFound      no such folder
    │   ├── DatasetEmpty         no image that can be read
    │   ├── DatasetShrunk        much of what the index has is gone
    │   └── DatasetNotIndexed    no index yet
    ├── ModelError               a model that cannot be used
    │   ├── ModelNotFound        no such model
    │   ├── ModelCorrupt         a file that is missing, damaged or different from its description
    │   ├── ModelMismatch        hash keys of different models, which cannot be compared
    │   ├── ModelMisbehaves      a model that fails its self-test on this machine
    │   ├── ModelUnsupported     a source that cannot become a model
    │   ├── ModelExists          a name that is taken
    │   ├── ModelDownloadFailed  a download that failed
    │   └── DeviceUnavailable    a device or a precision that this machine does not have
    ├── SettingsError            settings of a build that are not what they should be
    ├── ExtraMissing             an optional package that is not installed
    ├── QueryError               a query that cannot be answered
    │   ├── QueryImageError      a query image that cannot be read
    │   ├── ItemNotFound         no item has that id
    │   └── ItemAmbiguous        several items have that id
    ├── ImageError               an image that cannot be decoded; a build reports it and continues
    │   └── ImageNeedsExtra      an image that only an optional package decodes, which is not installed
    ├── ProjectError             a project that cannot do what was asked
    │   ├── ProjectNotFound      no such project
    │   └── ProjectFileInvalid   an invalid clipdex.toml; the message names the line
    └── OutputError              a result that cannot be written, or a saved result that cannot be read

Every error has one message, written for users. All of them can be pickled.
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
    TagsFailure,
)

__all__ = [
    "ClipdexError",
    "DatasetEmpty",
    "DatasetError",
    "DatasetNotFound",
    "DatasetNotIndexed",
    "DatasetShrunk",
    "DeviceUnavailable",
    "ExtraMissing",
    "ImageError",
    "ImageNeedsExtra",
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
    "TagsFailure",
]


class DatasetError(ClipdexError):
    """A dataset cannot be used."""


class DatasetNotFound(DatasetError):
    """The folder of a dataset does not exist."""


class DatasetEmpty(DatasetError):
    """A dataset has no image that can be read."""


class DatasetShrunk(DatasetError):
    """A build would drop much of an index, perhaps because a disk is away."""


class DatasetNotIndexed(DatasetError):
    """A dataset has no index yet."""


class ModelError(ClipdexError):
    """A model cannot be used."""


class ModelNotFound(ModelError):
    """No model has that name."""


class ModelCorrupt(ModelError):
    """A model folder is incomplete, damaged or inconsistent."""


class ModelMismatch(ModelError):
    """Hash keys of different models would be compared."""


class ModelMisbehaves(ModelError):
    """A model fails its self-test on this machine."""


class ModelUnsupported(ModelError):
    """A source is not a dual encoder that can become a model."""


class ModelExists(ModelError):
    """The name of a model is taken."""


class ModelDownloadFailed(ModelError):
    """A download failed, or a downloaded file differs from the announced one."""


class DeviceUnavailable(ModelError):
    """A device is not on this machine, or does not have a precision."""


class SettingsError(ClipdexError):
    """Settings of a build that are not what they should be."""


class ExtraMissing(ClipdexError):
    """An optional package is needed and not installed."""


class QueryError(ClipdexError):
    """A query cannot be answered."""


class QueryImageError(QueryError):
    """The image of a query cannot be read."""


class ItemNotFound(QueryError):
    """No item has the id that was asked for."""


class ItemAmbiguous(QueryError):
    """Several items have the id that was asked for."""


class ImageError(ClipdexError):
    """An image cannot be decoded."""


class ImageNeedsExtra(ImageError):
    """An image cannot be decoded, because an optional package is not installed."""


class ProjectError(ClipdexError):
    """A project cannot do what was asked of it."""


class ProjectNotFound(ProjectError):
    """A folder has no project."""


class ProjectFileInvalid(ProjectError):
    """A ``clipdex.toml`` is invalid."""


class OutputError(ClipdexError):
    """A result cannot be written, or a saved one cannot be read."""
