"""Everyday words, and which of the 1000 image classes stand for them.

Numbers are positions in the list of classes of ImageNet, ends included.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLASSES = 1000
PERSON = CLASSES
"""The column of a mixture that stands for a person, behind those of the classes."""

# How much a scene counts in the mixture of a word, where the word's own classes count 1.
SCENE_WEIGHT = 1.0
# How much a word asks for people, where "a person" asks for 1.
COMPANY_ASKED = 0.4

# So that "a photo of a dog" finds a picture that the classifier calls a beagle.
KINDS = """
fish: 0-6 389-397; shark: 2-4; bird: 7-24 80-100 127-146; chicken: 7 8; bird of prey: 21-24; parrot: 87-90; duck: 97 98;
water bird: 97-100 127-146; amphibian: 25-32; newt: 25-29; frog: 30-32; reptile: 33-68; turtle: 33-37; lizard: 38-48;
crocodile: 49 50; dinosaur: 51; snake: 52-68; spider: 72-77; insect: 300-326; beetle: 300-307; butterfly: 321-326;
marsupial: 102-106; sea creature: 107-109 115-121 327-329 973; crab: 118-121; lobster: 122-124; shell: 112-117; whale:
147 148; seal: 149 150; animal: 101-106 147-150 269-280 286-299 330-388; dog: 151-268; puppy: 151-268; wolf: 269-275;
fox: 277-280; cat: 281-285; kitten: 281-285; wild cat: 286-293; bear: 294-297; rabbit: 330-332; rodent: 333-338; horse:
339 603; zebra: 340; pig: 341-343; cow: 345-347 690; sheep: 348 349; goat: 350; deer: 351-353; antelope: 351-353; camel:
354 355; ape: 365-369; monkey: 370-382; lemur: 383 384; elephant: 101 385 386; panda: 387 388; car: 407 436 468 511 609
627 656 661 734 751 817; automobile: 436 468 511 609 627 656 661 751 817; van: 654 656 675 734 757; truck: 555 569 586
675 717 803 864 867; bus: 654 779 874; train: 466 547 565 705 820 829; airplane: 404 895 908; aircraft: 404 405 417 812
895; ship: 403 510 628 724 780 913; boat: 472 484 554 576 625 780 814 871 914; bicycle: 444 671 870 880; motorcycle: 665
670; cart: 428 575 603 612 690 791; farm machine: 595 730 856 866; musical instrument: 401 402 420 432 486 494 513 541
546 558 566 577 579 593 594 641 642 683 684 687 699 776 822 875 881 889; guitar: 402 420 546; piano: 579 881; drum: 541
822; furniture: 423 431 453 493 495 516 520 526 532 548 553 559 564 648 703 736 765 831 857 894; chair: 423 559 765 857;
table: 526 532 736; bed: 431 516 520 564; cabinet: 493 495 553 648 894; lamp: 607 619 818 846; building: 425 437 442 449
483 497 498 538 580 624 634 660 663 668 698 727 743 832 853 888 915; shop: 415 424 454 467 509 582 762 788 860 865;
house: 425 449 660 853 858 915; church: 406 497 663 668 832 884; tower: 437 442 682 900; bridge: 821 839 888; fence: 489
716 825 912; clothes: 399 400 411 443 445 459 474 501 568 578 601 608 610 614 617 638 639 652 655 658 689 697 735 775
806 834 841 842 869 887; dress: 399 578 601 614; coat: 501 568 617 869; hat: 433 439 452 515 667 715 793 808; helmet:
465 518 560; shoe: 502 514 630 770 774; swimsuit: 445 639 842; glasses: 836 837; bag: 414 636 728 748; food: 924-969;
fruit: 948-957; vegetable: 936-947; bread: 930-932; dessert: 927-929 960; soup: 809 925 926; sandwich: 933 934; drink:
441 504 572 966-969; mushroom: 947 991-997; flower: 984-986; plant: 738 936 944 946 984-990; landscape: 970 972-980;
mountain: 970 972 976 979 980; beach: 975-978; sea: 460 973-978; person: 981-983; ball: 429 430 522 574 722 768 805 852
890; sport: 416 422 543 602 702 722 747 752 768 795 981; weapon: 413 456 471 597 657 744 763 764 847; gun: 413 763 764;
tool: 473 477 491 512 587 596 621 696 726 740 784 792; cookware: 469 499 505 521 544 550 567 618 659 813 828 849 891 909
910; bottle: 440 720 737 898 899 901 907; cup: 441 504 572 647 968; bowl: 659 809; box: 478 492 519 692; electronic
device: 481 482 485 487 508 527 528 530 590 592 605 613 620 632 650 662 664 673 681 707 713 732 742 745 754 759 761 782
848 851; computer: 508 527 590 620 664 681 782; phone: 487 528 707; camera: 622 732 759; screen: 664 782 851; clock: 409
530 531 604 826 835 892; household appliance: 534 545 550 589 606 651 760 811 827 859 882 897; bathroom: 434 435 794 804
861 876 896 999; medical equipment: 419 523 678 823 845; toy: 611 719 723 850; cosmetics: 551 585 629 631 711 838; book:
446 453 454 624 917 921
"""

# Things that are no kind of any class, and places: the classes that are seen where they are.
IMPLIED = """
street: 468 640 654 704 705 779 829 874 919 920; city: 437 442 468 497 654 682 698 727 817 821 829 839 873 874 888 900
919 920; road: 468 479 511 609 656 675 717 803 817 864 867 874 919 920; traffic: 468 654 656 717 779 867 874 920;
traffic light: 920; traffic sign: 919; stop sign: 919; kitchen: 534 550 567 651 659 760 827 859 891 896 909 521 505;
oven: 651 766 827; sink: 896; bedroom: 431 516 520 564 721 750 846 904 905; living room: 453 548 598 831 846 851 905;
office: 508 526 527 553 620 664 673 681 713 742 782; desk: 508 526 527 664 673; room: 526 532 548 553 564 831 846 894
905; toilet: 861 999; bench: 703; fire hydrant: 640 637 704; dining room: 532 762 868 923; restaurant: 762 868 923
924-926 933 959 962-965; meal: 762 809 868 923-926 933-935 959 962-965; breakfast: 504 809 859 891 923 930 931 961 967
968; lunch: 762 809 923 924-926 933-935 959 962-965; dinner: 762 868 923 924-926 935 959 962-966; plate: 868 923; fork:
910 923 868; knife: 499 623 923; spoon: 618 910 923; wine: 572 907 966; wine glass: 441 572; beer: 440 441; coffee: 504
505 550 967 968; tea: 849 968; carrot: 936-939 943; salad: 936-938 943 924; donut: 931 961; cake: 927 960 961 415;
pizza: 963; hot dog: 934; apple: 948; orange: 950; banana: 954; snow: 450 537 795 796 802 803 970; winter: 450 537 658
795 796 802 803 824; skiing: 795 796 970; snowboard: 795 796 970; ski: 795; forest: 295 366 912 970 972 979 988 991-997;
tree: 988 990 912 448; jungle: 367 369 381 382 292; desert: 354 977 66 68; garden: 301 580 716 738 985 989; field: 958
984 987 595 730 866 345; meadow: 348 345 958 985; grass: 621 345 348 958 574; farm: 345 348 341 425 595 730 856 866 958;
park: 703 843 562 716; playground: 843 476; water: 472 484 536 554 625 628 693 801 814 833 914 973-978; lake: 472 536
693 975; river: 472 576 821 888 975; harbour: 460 484 510 536 554 628 718 780 814 914; sky: 404 405 417 701 895 908 812;
kite: 417 701 723; surfing: 842 977 978 639; surfboard: 842 977 978 639; swimming: 433 445 639 801 842 983; night: 437
470 607 818 819 846 862; concert: 402 420 541 546 632 650 818 819; music: 401 402 420 432 486 494 513 541 546 558 566
577 579 593 594 641 642 683 684 687 699 776 819 822 875 881 889 650; stage: 650 818 819 854; party: 417 440 441 470 503
572; birthday: 417 470 927; wedding: 578 689 982 457; school: 526 779 767 769 453;
library: 453 454 624; bookshelf: 453 454 624; hospital: 691 823 830 845 617; gym: 416 422 543 602 702 747; tennis: 752
852; tennis racket: 752 852; baseball: 429 981; baseball bat: 429 981; baseball glove: 429 981; football: 560 768 805;
soccer: 805; basketball: 430; golf: 574 575; skateboard: 518 615 770 608; skateboarding: 518 615 770 608; frisbee: 852
722 842; cycling: 444 518 671 880; racing: 573 751 817; airport: 404 895 908; station: 466 547 705 829; railway: 466 547
565 705 820 829; market: 582 790 791 936-945 948-954; supermarket: 582 790 791;
suitcase: 414 636 748 492; handbag: 636 748 893; backpack: 414; umbrella: 879; tie: 906 457 834; suit: 834 906 457;
jacket: 568 617 834 841 869; jewellery: 679; toothbrush: 629 696 749; scissors: 477 623 784; hair dryer: 589; vase: 883;
potted plant: 738; television: 598 664 851; laptop: 620 681; keyboard: 508 810 878; mouse: 673; remote control: 761;
cell phone: 487 590 605; microwave: 651; toaster: 859; refrigerator: 760; couch: 831; teddy bear: 850; game: 611 736 800
918; sign: 458 704 781 919 922; paper: 549 700 916 917 918 922 999; pet: 151-268 281-285 332 333 338; wild animal:
286-297 340 353-355 365-369 385 386 269-280; giraffe: 340 351-353; castle: 483 698 663; temple: 663 668 832; ruin: 500
649 825; ceiling: 538 884; window: 799 904 905; door: 799 905; stairs: 421; sunset: 975 977 978 437; cave: 884 500 972;
cliff: 972; rock: 972 976 825; fire: 470 556 862 606; space: 807 812 727 755; war: 413 471 652 657 847 895; soldier: 652
465 764; police: 734 465; firefighter: 555; worker: 517 518 561; construction: 510 517 561; factory: 634 540 739;
machine: 491 621 739 786 882 897; pattern: 506 750 885 741; fabric: 885 911 824 750; art: 643 696 708 863 917; statue:
458 682 708 863; fishing: 389 391 758; horse riding: 339 603 515; carriage: 603 612 690; picnic: 703 790 672; camping:
672 797 757; hiking: 414 970 972 979; dining table: 532; broccoli: 937; parking meter: 704
"""

# Surroundings that several words share.
SCENES = """
kitchen: 499 505 521 534 544 550 567 618 651 760 766 813 827 859 891 896 909 910; meal: 532 572 762 809 868 922-926
933-935 937 943 959 962-965 968; living: 453 548 556 598 664 721 753 761 831 846 851 905; office: 508 526 527 553 620
664 673 681 713 742 782; street: 407 436 468 555 640 654 656 675 704 717 734 779 829 873 874 900 919 920; beach: 445 639
842 975 977 978; field: 429 722 752 768 805 852 981; bath: 434 435 648 794 804 861 876 896 999; snow: 450 537 795 796
802 803 970; vehicles: 407 436 468 511 555 569 609 654 656 661 675 717 751 757 779 817 829 864 867 874
"""

# What is usually around a thing: scenes, and people.
AROUND = """
car: street; automobile: street; truck: street; bus: street; van: street; bicycle: street person; motorcycle: street
person; traffic light: street; traffic sign: street; stop sign: street; parking meter: street; fire hydrant: street;
street: street; city: street; road: street vehicles; traffic: street vehicles; handbag: person street; bag: person;
umbrella: person; backpack: person; suitcase: person; tie: person; suit: person; hat: person; clothes: person; dress:
person; jacket: person; glasses: person; chair: meal office living; couch: living; furniture: living office; potted
plant: living; bed: living; table: meal office living; dining table: meal kitchen; dining room: meal; living room:
living; television: living; laptop: office; computer: office; mouse: office; remote control: living; keyboard: office;
desk: office; office: office; screen: office living; cell phone: person; phone: person; microwave: kitchen; oven:
kitchen; toaster: kitchen; sink: kitchen bath; refrigerator: kitchen; kitchen: kitchen; cookware: kitchen; household
appliance: kitchen; toilet: bath; bathroom: bath; toothbrush: bath; hair dryer: bath; book: living office; bookshelf:
living office; clock: living; vase: living; scissors: office; room: living office; bottle: kitchen meal; wine glass:
meal; wine: meal; cup: meal kitchen; fork: meal kitchen; knife: meal kitchen; spoon: meal kitchen; bowl: meal kitchen;
plate: meal; food: meal; meal: meal; breakfast: meal; lunch: meal; dinner: meal; restaurant: meal; carrot: meal;
broccoli: meal; sandwich: meal; salad: meal; vegetable: meal; donut: meal; cake: meal; dessert: meal; frisbee: field
person; ski: snow person; skiing: snow person; snowboard: snow person; snow: snow; winter: snow; ball: field person;
sport: field person; kite: beach person; baseball: field person; baseball bat: field person; baseball glove: field
person; skateboard: person; skateboarding: person; surfboard: beach person; surfing: beach person; tennis: field person;
tennis racket: field person; football: field person; soccer: field person; basketball: person; golf: person; gym:
person; cycling: person; horse riding: person; swimming: beach person; beach: beach; fishing: person; hiking: person;
concert: person; music: person; stage: person; party: person; wedding: person; birthday: person; worker:
person; soldier: person; police: person; firefighter: person; market: person; school: person; helmet:
person
"""

# Words for people.
PEOPLE = """
person; people; man; woman; child; boy; girl; face; portrait; human; family; crowd; someone; player; guy; lady; group of
people; men; women; children; smiling face; baby
"""

# What is worn, held or done by people in photographs. These classes are evidence of a person beside the detector.
COMPANY = """
400 411 433 439 443 445 452 457 459 465 474 501 515 518 560 578 601 608 610 614 617 638 639 652 655 689 697 735 747 752
768 775 793 795 796 801 805 834 836 837 841 842 869 887 890 903 906 981-983 402 420 546 558 642 683 776 875 889 416 422
429 430 522 602 702 450 537 671 880 573 693 603 612 487 650 819
"""


def positions(spans: str) -> list[int]:
    """List the classes that ``spans`` names, such as ``"7 24-26"``, in order."""
    found: set[int] = set()
    for span in spans.split():
        first, _, last = span.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def table(text: str) -> dict[str, str]:
    """Read lines such as ``"dog: 151-268; cat: 281-285"``."""
    pairs = (entry.partition(":") for entry in text.split(";"))
    return {" ".join(word.split()): " ".join(rest.split()) for word, _, rest in pairs if word.strip()}


def kinds_of_classes() -> list[list[str]]:
    """List, for each of the classes, the kinds that it belongs to (none for some)."""
    found: list[list[str]] = [[] for _ in range(CLASSES)]
    for word, spans in table(KINDS).items():
        for position in positions(spans):
            found[position].append(word)
    return found


def mixtures() -> tuple[list[str], npt.NDArray[np.float32]]:
    """Make the mixture of classes and people that each everyday word stands for.

    Returns
    -------
    tuple
        The words, and ``[words, CLASSES + 1]``: at most length 1 over the classes, and the share of a person.
    """
    classes = {**table(KINDS), **table(IMPLIED)}
    around = table(AROUND)
    people = [" ".join(word.split()) for word in PEOPLE.split(";")]
    words = sorted({*classes, *around, *people})
    scenes = {scene: _even(spans) for scene, spans in table(SCENES).items()}
    rows = np.zeros((len(words), CLASSES + 1), np.float32)
    for row, word in zip(rows, words, strict=True):
        beside = around.get(word, "").split()
        if word in classes and word not in people:
            row[:CLASSES] = _even(classes[word])
        places = [scenes[name] for name in beside if name != "person"]
        if places:
            row[:CLASSES] += SCENE_WEIGHT * np.sum(places, axis=0) / np.sqrt(len(places))
        row[:CLASSES] /= max(1.0, float(np.linalg.norm(row[:CLASSES])))
        row[PERSON] = 1.0 if word in people else COMPANY_ASKED * ("person" in beside)
    return words, rows


def _even(spans: str) -> npt.NDArray[np.float32]:
    row = np.zeros(CLASSES, np.float32)
    row[positions(spans)] = 1
    return row / np.linalg.norm(row)
