"""Datasets with annotation files: COCO, YOLO, Pascal VOC and CVAT, in the layouts that people have.

Only ids, subsets, labels and the files of the images are read, and nothing is validated beyond that: what cannot be
read of an annotation is counted and named, and its image stays.
"""
